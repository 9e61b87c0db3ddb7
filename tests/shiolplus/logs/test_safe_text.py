"""Untrusted text is sanitized before it is stored or logged, and names are validated."""

import json
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models

from predictions.models import Cluster, PipelineRun
from predictions.models.fields import SafeCharField, SafeJSONField, SafeTextField
from shiolplus.logs.safe_text import check_name, describe_error, sanitize_json, sanitize_line, sanitize_text
from tickets.models import GenerationRun

HOSTILE = "a\0b\ud800c\x1bd\u202ee\r\u2028f\n"
STORED = r"a\x00b\ud800c\x1bd\u202ee\r\u2028f" + "\n"
BAD_NAMES = [
    "",
    "   ",
    "\u3000",
    "a\nb",
    "a\tb",
    "a\0b",
    "a\ud800",
    "a\x85b",
    "a\u2028b",
    "a\u202eb",
    "\x7f",
    5,
]


def test_unsafe_characters_are_escaped() -> None:
    assert sanitize_text(HOSTILE) == STORED
    assert sanitize_line("a\r\nb\tc\u2028") == r"a\r\nb\tc\u2028"
    assert sanitize_text("é € 😀 tab\t") == "é € 😀 tab\t"
    assert sanitize_json({HOSTILE: [HOSTILE, 1, None]}) == {STORED: [STORED, 1, None]}


def test_long_text_is_truncated_with_marker() -> None:
    assert sanitize_text("x" * 10) == "x" * 10
    assert sanitize_text("x" * 50, 10) == "x" * 6 + " […]"
    assert len(sanitize_text("\0" * 30_000)) == 10_000


def test_error_with_failing_str_is_described() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe_error(Broken()) == "Broken: (str() raised RuntimeError)"
    assert describe_error(ValueError("a\0")) == r"ValueError: a\x00"


@pytest.mark.parametrize("name", BAD_NAMES)
def test_invalid_name_is_rejected_with_allowed_characters(name: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^run .*: allowed is a text of 1 to 9 characters, not blank"
    ) as caught:
        check_name("run", name, 9)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("model", [PipelineRun, GenerationRun])
def test_forms_reject_invalid_run_id(model: type[models.Model]) -> None:
    with pytest.raises(ValidationError) as caught:
        model(pipeline_run_id="a\nb").clean_fields()
    assert "pipeline_run_id" in caught.value.error_dict


def test_error_and_summary_fields_are_safe_text() -> None:
    names = {
        "error",
        "summary",
        "trouble",
        "note",
        "verdict",
        "holder",
        "host",
        "source",
        "etag",
        "request_id",
    }
    fields = [
        field
        for app in ("predictions", "tickets")
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.get_fields()
        if field.name in names and not (model is PipelineRun and field.name == "source")
    ]
    assert len(fields) >= 15
    assert [str(field) for field in fields if not isinstance(field, SafeTextField | SafeCharField)] == []


def safe_fields() -> list[Any]:
    return [
        field
        for app in ("predictions", "tickets")
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, SafeTextField | SafeCharField | SafeJSONField)
    ]


def make_row(model: Any, **values: Any) -> Any:
    """Return an unsaved row with all required fields; related rows are saved."""
    for field in model._meta.concrete_fields:
        if field.name in values or field.primary_key or field.null or field.has_default():
            continue
        values[field.name] = value_for(field)
    return model(**values)


def value_for(field: Any) -> Any:
    from datetime import UTC, date, datetime
    from uuid import uuid4

    if field.is_relation:
        related = make_row(field.related_model)
        related.save()
        return related
    if isinstance(field, models.DateTimeField):
        return datetime(2020, 1, 1, tzinfo=UTC)
    if isinstance(field, models.DateField):
        return date(2020, 1, 1)
    if isinstance(field, models.JSONField):
        return {}
    if field.choices:
        return field.choices[0][0]
    if isinstance(field, models.CharField | models.TextField):
        return uuid4().hex[: field.max_length]
    return NUMBERS.get(field.name, 1)


def create(row: Any) -> None:
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]
    type(row)._base_manager.create(**{field.name: getattr(row, field.name) for field in fields})


STORE: dict[str, Any] = {
    "save": lambda row: row.save(),
    "create": create,
    "bulk_create": lambda row: type(row)._base_manager.bulk_create([row]),
}
NUMBERS = {"n1": 1, "n2": 2, "n3": 3, "n4": 4, "n5": 5}


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["save", "create", "bulk_create", "bulk_update", "update"])
@pytest.mark.parametrize("field", safe_fields(), ids=lambda field: f"{field.model.__name__}.{field.name}")
def test_unsafe_text_is_stored_in_every_field_by_every_method(field: Any, method: str) -> None:
    model, is_json = field.model, isinstance(field, SafeJSONField)
    value = {HOSTILE: [HOSTILE]} if is_json else HOSTILE
    if method in ("save", "create", "bulk_create"):
        row = make_row(model, **{field.name: value})
        STORE[method](row)
    else:
        row = make_row(model)
        row.save()
        if method == "update":
            model._base_manager.filter(pk=row.pk).update(**{field.name: value})
        else:
            setattr(row, field.name, value)
            model._base_manager.bulk_update([row], [field.name])

    stored = getattr(model._base_manager.get(), field.name)
    expected = {STORED: [STORED]} if is_json else STORED
    assert stored == expected
    json.dumps(stored, ensure_ascii=False).encode()


@pytest.mark.django_db
def test_text_longer_than_column_is_truncated() -> None:
    Cluster.objects.create(
        holder="h" * 300, queue="q", host="\0" * 300, key_fingerprint="k", trouble="t" * 20_000
    )

    cluster = Cluster.objects.get()
    assert (len(cluster.holder), len(cluster.host), len(cluster.trouble)) == (200, 200, 10_000)
    assert cluster.trouble.endswith("ttt […]")
