"""What a list is filtered by, as a file: CSV for sheets, JSON Lines for programs, streamed row by row.

Rows are read in chunks, oldest first, each in a short query of its own: a million of them
hold neither memory nor a transaction. Rows that are stored after the beginning are not in the file.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import accumulate, islice
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import slugify

from shiolplus.adminsite.action_pages import choice_field
from shiolplus.adminsite.changelist import RememberedFiltersAdmin, filtered_by, log_about, query_to_keep

CHUNK_ROWS = 5000  # keys a query
FORMATS = {"csv": "CSV, for spreadsheets", "jsonl": "JSON Lines, exact, for programs"}
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
PLAIN = {int, float, type(None)}  # written as they are, and most of what there is
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a sheet compute a text


class ExportColumn:
    """A value of each row: one field, or several that are a list in JSON and a column each in CSV."""

    def __init__(
        self,
        name: str,
        *fields: str,
        in_json: Callable[[Any], Any] | None = None,
        in_csv: Callable[[Any], Any] | None = None,
    ) -> None:
        self.name = name
        self.fields = fields or (name,)
        self.in_json = in_json
        self.in_csv = in_csv

    @property
    def headers(self) -> Sequence[str]:
        return self.fields if len(self.fields) > 1 else [self.name]

    def value(self, given: Sequence[Any]) -> Any:
        """As JSON has it."""
        if self.in_json is not None:
            return self.in_json(*given)
        return given[0] if len(given) == 1 else given


BALLS = [ExportColumn("white_balls", "n1", "n2", "n3", "n4", "n5"), ExportColumn("powerball")]


class ExportForm(forms.Form):
    format = choice_field("Format", FORMATS)


class ExportMixin(RememberedFiltersAdmin):
    """A list with a button that exports what it shows, to whoever may look at it."""

    exported: ClassVar[Sequence[ExportColumn]] = ()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name=self._named("export")), *super().get_urls()]

    def _named(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def list_context(self, request: HttpRequest, listed: ChangeList) -> dict[str, Any]:
        query = query_to_keep(request.GET)
        address = reverse(f"admin:{self._named('export')}")
        return super().list_context(request, listed) | {
            "export_address": f"{address}?{query}" if query else address
        }

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """GET shows what would be exported; POST streams it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = query_to_keep(request.GET)
        request.GET = type(request.GET)(query)
        way_back = reverse(f"admin:{self._named('changelist')}")
        try:
            listed = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            text = "Nothing was exported: the address has a filter that this list does not know."
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(f"{way_back}?e=1")
        form = ExportForm(request.POST if request.method == "POST" else None, initial={"format": "csv"})
        if form.is_valid():
            return self._stream(request, listed, form.cleaned_data["format"])
        context = self.admin_site.each_context(request) | {
            "title": f"Export {self.opts.verbose_name_plural}",
            "opts": self.opts,
            "form": form,
            "rows": rows_in_words(listed),
            "filtered_by": filtered_by(listed),
            "columns": [head for one in self.exported for head in one.headers],
            "way_back": f"{way_back}?{query}" if query else way_back,
        }
        return TemplateResponse(request, "adminsite/export.html", context)

    def _stream(self, request: HttpRequest, listed: ChangeList, form: str) -> StreamingHttpResponse:
        name = f"{slugify(str(self.opts.verbose_name_plural))}-{timezone.now():%Y-%m-%d}.{form}"
        conditions = filtered_by(listed) or "all"
        said = f"Exported {rows_in_words(listed)} as {form.upper()} ({conditions})."
        log_about(request, self.model, said)
        rows = iter_chunks(listed.queryset, fields_of(self.exported), listed_ids(listed))
        write = as_csv if form == "csv" else as_json_lines
        return StreamingHttpResponse(
            write(self.exported, rows),
            content_type=CONTENT_TYPES[form],
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )


def rows_in_words(listed: ChangeList) -> str:
    """How many rows would be exported: "1,250 tickets", or "more than 10,000 tickets"."""
    paginator: Any = listed.paginator
    if getattr(paginator, "is_cut_off", False):
        return f"more than {paginator.shown_at_most} {listed.opts.verbose_name_plural}"
    count = listed.result_count
    names = listed.opts.verbose_name if count == 1 else listed.opts.verbose_name_plural
    return f"{count:,} {names}"


# Rows


def fields_of(columns: Sequence[ExportColumn]) -> list[str]:
    return [field for column in columns for field in column.fields]


def listed_ids(listed: ChangeList) -> list[int] | None:
    """The keys of all rows of a list, where its paginator has found them already."""
    keys: list[int] | None = getattr(listed.paginator, "ids", None)
    return keys


def iter_chunks(
    rows: QuerySet[Any], fields: Sequence[str], keys: Iterable[int] | None = None
) -> Iterator[list[tuple[Any, ...]]]:
    """The fields of rows, by their keys ascending, some thousand at a time."""
    plain = rows.order_by("pk").values_list(*fields)
    if keys is not None:
        ascending = iter(sorted(keys))
        while some := list(islice(ascending, CHUNK_ROWS)):
            yield list(plain.filter(pk__in=some))
        return
    every = rows.model._default_manager.order_by("pk").values_list("pk", flat=True)
    last = every.last() or 0
    first = every.first()
    while first is not None and first <= last:
        end = min(first + CHUNK_ROWS - 1, last)
        yield list(plain.filter(pk__gte=first, pk__lte=end))
        first = every.filter(pk__gt=end).first()  # over any gap


# Formats


def as_csv(columns: Sequence[ExportColumn], rows: Iterable[list[tuple[Any, ...]]]) -> Iterator[str]:
    """A header, and a line a row; a text that a sheet would compute is preceded by '."""
    own = {part.start: one.in_csv for one, part in _parts(columns) if one.in_csv is not None}
    yield _lines([[head for one in columns for head in one.headers]])
    for some in rows:
        yield _lines(_cells(row, own) for row in some)


def _cells(row: Sequence[Any], own: dict[int, Callable[[Any], Any]]) -> list[object]:
    """A row's cells; `own` says of some places how they are written."""
    if own:
        row = [own[place](one) if place in own else one for place, one in enumerate(row)]
    return [one if type(one) in PLAIN else csv_cell(one) for one in row]


def _lines(table: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(table)
    return text.getvalue()


def as_json_lines(columns: Sequence[ExportColumn], rows: Iterable[list[tuple[Any, ...]]]) -> Iterator[str]:
    """An object a line, with the API's names."""
    parts, encode = _parts(columns), json.JSONEncoder(default=isoformat, ensure_ascii=False).encode
    for some in rows:
        objects = ({one.name: one.value(row[part]) for one, part in parts} for row in some)
        yield "".join(f"{encode(one)}\n" for one in objects)


def _parts(columns: Sequence[ExportColumn]) -> list[tuple[ExportColumn, slice]]:
    """Each column, and where its fields stand in a row."""
    ends = list(accumulate(len(one.fields) for one in columns))
    return [(one, slice(end - len(one.fields), end)) for one, end in zip(columns, ends, strict=True)]


def csv_cell(value: object) -> object:
    """What stands in a CSV cell."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, (date, datetime)):
        return isoformat(value)
    if isinstance(value, (list, dict)):
        value = json.dumps(value, ensure_ascii=False)
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def isoformat(value: object) -> str:
    """Dates as ISO 8601, instants in UTC with Z."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return str(value)
