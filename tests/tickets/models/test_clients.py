"""Constraints and indexes of the tables of clients, keys, claims and counts."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext

from tests.factories import WEDNESDAY, make_client, make_key, some_tickets
from tickets.claims.allocation import ClaimRequest, claim_tickets
from tickets.models.claims import Claim, ClaimHour
from tickets.models.clients import ApiClient, ApiKey, QuotaUsage
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def shop() -> ApiClient:
    return make_client()


def valid_client(shop: ApiClient) -> dict[str, Any]:
    values = {"name": "other", "daily_quota": 5, "rate": 5, "modes": ["v1"], "active": True}
    return values | {"created_at": NOW}


def valid_claim(shop: ApiClient) -> dict[str, Any]:
    values: dict[str, Any] = {"client_id": shop.pk, "idempotency_key": "two", "mode": "v1", "count": 1}
    lists = {"numbers": [[1, 2, 3, 4, 5, 6]], "ticket_details": [[0.5, "v1", "2026-11-24T12:00:00Z", None]]}
    return values | lists | {"draw_date": WEDNESDAY, "asked_draw_date": WEDNESDAY, "created_at": NOW}


def valid_hour(shop: ApiClient) -> dict[str, Any]:
    counts = {"claims": 1, "tickets": 5, "refused": 0}
    return {"draw_date": WEDNESDAY, "mode": "v1", "hour": NOW, "shard": 1} | counts


def valid_day(shop: ApiClient) -> dict[str, Any]:
    return {"client_id": shop.pk, "day": WEDNESDAY, "used": 5}


VALID: dict[type[models.Model], Callable[[ApiClient], dict[str, Any]]] = {
    ApiClient: valid_client,
    Claim: valid_claim,
    ClaimHour: valid_hour,
    QuotaUsage: valid_day,
}


def insert_raw(model: type[models.Model], values: dict[str, Any]) -> None:
    """Insert a row without model validation, with values in database form."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    adapted = [fields[name].get_db_prep_save(value, connection) for name, value in values.items()]
    marks = ", ".join(["%s"] * len(values))
    names = ", ".join(connection.ops.quote_name(fields[name].column) for name in values)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({marks})", adapted)


BROKEN: dict[str, tuple[type[models.Model], dict[str, Any], str]] = {
    "a quota of more than ten million": (ApiClient, {"daily_quota": 10_000_001}, "api_client_daily_quota"),
    "a quota below nothing": (ApiClient, {"daily_quota": -1}, "daily_quota"),
    "a rate of nothing": (ApiClient, {"rate": 0}, "api_client_rate"),
    "a rate of more than a million": (ApiClient, {"rate": 1_000_001}, "api_client_rate"),
    "a claim of an unknown mode": (Claim, {"mode": "best"}, "claim_mode_known"),
    "a claim of less than nothing": (Claim, {"count": -1}, "count"),
    "an hour of an unknown mode": (ClaimHour, {"mode": "best"}, "claim_hour_mode_known"),
    "an hour with fewer than no tickets": (ClaimHour, {"tickets": -1}, "tickets"),
    "a day with fewer than no tickets": (QuotaUsage, {"used": -1}, "used"),
}


@pytest.mark.parametrize(("model", "values", "constraint"), BROKEN.values(), ids=BROKEN)
def test_database_rejects_invalid_rows(
    model: type[models.Model], values: dict[str, Any], constraint: str, shop: ApiClient
) -> None:
    before = model._base_manager.count()

    with pytest.raises(IntegrityError, match=constraint):
        insert_raw(model, VALID[model](shop) | values)

    assert model._base_manager.count() == before


@pytest.mark.parametrize(("model", "values", "constraint"), BROKEN.values(), ids=BROKEN)
def test_a_broken_row_is_refused_by_the_model(
    model: type[models.Model], values: dict[str, Any], constraint: str, shop: ApiClient
) -> None:
    with pytest.raises(ValidationError) as refused:
        model(**VALID[model](shop) | values).full_clean()

    assert constraint in str(refused.value) or set(refused.value.message_dict) == set(values)


@pytest.mark.parametrize("model", VALID, ids=lambda model: model.__name__)
def test_an_unbroken_row_passes_both_doors(model: type[models.Model], shop: ApiClient) -> None:
    model(**VALID[model](shop)).full_clean()
    insert_raw(model, VALID[model](shop))

    assert model._base_manager.filter(**VALID[model](shop)).count() == 1


@pytest.mark.parametrize(
    ("model", "others"),
    [
        (ApiClient, [{"name": "third"}]),
        (Claim, [{"idempotency_key": "three"}]),
        (
            ClaimHour,
            [
                {"shard": 2},
                {"mode": "v2"},
                {"hour": NOW.replace(hour=13)},
                {"draw_date": WEDNESDAY.replace(day=28)},
            ],
        ),
        (QuotaUsage, [{"day": WEDNESDAY.replace(day=26)}]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_duplicates_are_rejected_by_validation_and_database(
    model: type[models.Model], others: list[dict[str, Any]], shop: ApiClient
) -> None:
    values = VALID[model](shop)
    insert_raw(model, values)

    with pytest.raises(IntegrityError):
        insert_raw(model, values)
    with pytest.raises(ValidationError, match="already exists"):
        model(**values).full_clean()

    for other in others:
        insert_raw(model, values | other)


def test_another_clients_idempotency_key_is_another_claim(shop: ApiClient) -> None:
    insert_raw(Claim, valid_claim(shop))
    insert_raw(Claim, valid_claim(make_client("other")))

    assert Claim.objects.count() == 2


@pytest.mark.parametrize(
    ("model", "missing"),
    [
        (Claim, "client_id"),
        (Claim, "idempotency_key"),
        (Claim, "draw_date"),
        (ClaimHour, "hour"),
        (QuotaUsage, "client_id"),
        (ApiClient, "name"),
    ],
)
def test_a_row_without_what_it_is_known_by_is_refused(
    model: type[models.Model], missing: str, shop: ApiClient
) -> None:
    values = VALID[model](shop)
    del values[missing]

    with pytest.raises(IntegrityError):
        insert_raw(model, values)


def test_key_belongs_to_a_client_and_has_a_unique_prefix(shop: ApiClient) -> None:
    make_key(shop)
    key = ApiKey.objects.get()
    values = {field.attname: getattr(key, field.attname) for field in ApiKey._meta.concrete_fields}

    with pytest.raises(IntegrityError):
        insert_raw(ApiKey, values | {"id": "another"})
    with pytest.raises(IntegrityError):
        insert_raw(ApiKey, values | {"id": "another", "prefix": "another1", "client_id": None})
    with pytest.raises(ValidationError, match="cannot be undone"):
        revoked_and_revived(key)


def revoked_and_revived(key: ApiKey) -> None:
    ApiKey.objects.update(revoked=True)
    key = ApiKey.objects.get()
    key.revoked = False
    key.save()


@pytest.mark.usefixtures("on_tuesday")
def test_a_client_with_claims_and_a_claim_with_tickets_cannot_be_deleted(shop: ApiClient) -> None:
    insert_batch_tickets(some_tickets(2), "v1", draw_date=WEDNESDAY)
    claim, _ = claim_tickets(shop, ClaimRequest("v1", 2, WEDNESDAY), "one")

    for row in (shop, claim):
        with pytest.raises(ProtectedError):
            row.delete()


# Indexes


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Claim, {"idx_claim_client", "one_claim_an_idempotency_key", "claim_mode_known"}),
        (ClaimHour, {"one_row_per_hour_and_shard", "claim_hour_mode_known"}),
        (QuotaUsage, {"one_row_a_client_and_day"}),
        (ApiClient, {"api_client_daily_quota", "api_client_rate"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_tables_have_their_indexes_and_constraints_under_their_names(
    model: type[models.Model], names: set[str]
) -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)

    assert names <= set(found)


def test_a_clients_claims_are_read_newest_first_from_their_index(shop: ApiClient) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by the size of the table")
    with CaptureQueriesContext(connection) as queries:
        list(Claim.objects.filter(client=shop)[:50])

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {queries[0]['sql']}")
        (step,) = [row[3] for row in cursor.fetchall()]
    assert "USING INDEX idx_claim_client (client_id=?)" in step
