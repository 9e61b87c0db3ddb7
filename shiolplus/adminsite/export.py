"""Export of a filtered list as CSV or JSON Lines, without the rows stored after it started.

Each chunk is read by its own query, so that a large export holds neither memory nor a transaction.
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
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.request import QueryDict
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import slugify

from shiolplus.adminsite.action_pages import choice_field
from shiolplus.adminsite.changelist import (
    RememberedFiltersAdmin,
    describe_filters,
    log_list_action,
    persistent_query,
)

CHUNK_ROWS = 5000
FORMATS = {"csv": "CSV, for spreadsheets", "jsonl": "JSON Lines, exact, for programs"}
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
UNQUOTED_TYPES = {int, float, type(None)}  # checked first, as most cells have these types
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")  # spreadsheets evaluate texts with these prefixes

Row = tuple[Any, ...]


class ExportColumn:
    """One field, or several that form a list in JSON and separate columns in CSV."""

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

    def json_value(self, values: Sequence[Any]) -> Any:
        if self.in_json is not None:
            return self.in_json(*values)
        return values[0] if len(values) == 1 else values


BALLS = [ExportColumn("white_balls", "n1", "n2", "n3", "n4", "n5"), ExportColumn("powerball")]


class ExportForm(forms.Form):
    format = choice_field("Format", FORMATS)


class ExportMixin(RememberedFiltersAdmin):
    """Add an export button to a list, for everyone with permission to view it."""

    exported: ClassVar[Sequence[ExportColumn]] = ()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name=self.page_url_name("export")), *super().get_urls()]

    def page_url_name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def list_context(self, request: HttpRequest, changelist: ChangeList) -> dict[str, Any]:
        url = reverse(f"admin:{self.page_url_name('export')}", query=QueryDict(persistent_query(request.GET)))
        return super().list_context(request, changelist) | {"export_url": url}

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.GET = QueryDict(persistent_query(request.GET))
        list_name = f"admin:{self.page_url_name('changelist')}"
        try:
            changelist = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            text = "Nothing was exported: the URL has a filter that this list does not support."
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(reverse(list_name, query={ERROR_FLAG: 1}))
        form = ExportForm(request.POST if request.method == "POST" else None, initial={"format": "csv"})
        if form.is_valid():
            return self.stream_response(request, changelist, form.cleaned_data["format"])
        context = self.admin_site.each_context(request) | {
            "title": f"Export {self.opts.verbose_name_plural}",
            "opts": self.opts,
            "form": form,
            "rows": describe_row_count(changelist),
            "filtered_by": describe_filters(changelist),
            "columns": [header for column in self.exported for header in column.headers],
            "return_url": reverse(list_name, query=request.GET),
        }
        return TemplateResponse(request, "adminsite/export.html", context)

    def stream_response(
        self, request: HttpRequest, changelist: ChangeList, file_format: str
    ) -> StreamingHttpResponse:
        name = f"{slugify(str(self.opts.verbose_name_plural))}-{timezone.now():%Y-%m-%d}.{file_format}"
        filters = describe_filters(changelist) or "all"
        message = f"Exported {describe_row_count(changelist)} as {file_format.upper()} ({filters})."
        log_list_action(request, self.model, message)
        fields = [field for column in self.exported for field in column.fields]
        # Avoid running the filter again if the paginator has already found all ids.
        ids: list[int] | None = getattr(changelist.paginator, "ids", None)
        chunks = iter_chunks(changelist.queryset, fields, ids)
        write = iter_csv if file_format == "csv" else iter_json_lines
        return StreamingHttpResponse(
            write(self.exported, chunks),
            content_type=CONTENT_TYPES[file_format],
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )


def describe_row_count(changelist: ChangeList) -> str:
    """Return a text such as "1,250 tickets" or "more than 10,000 tickets"."""
    paginator: Any = changelist.paginator
    if getattr(paginator, "is_truncated", False):
        return f"more than {paginator.shown_at_most} {changelist.opts.verbose_name_plural}"
    count = changelist.result_count
    noun = changelist.opts.verbose_name if count == 1 else changelist.opts.verbose_name_plural
    return f"{count:,} {noun}"


def iter_chunks(
    rows: QuerySet[Any], fields: Sequence[str], ids: Iterable[int] | None = None
) -> Iterator[list[Row]]:
    """Yield chunks of the rows' field values in ascending order of primary key.

    Without `ids`, each chunk is a range of primary keys, of which the filter may select any share.
    """
    values = rows.order_by("pk").values_list(*fields)
    if ids is not None:
        ascending = iter(sorted(ids))
        while chunk := list(islice(ascending, CHUNK_ROWS)):
            yield list(values.filter(pk__in=chunk))
        return
    all_ids = rows.model._default_manager.order_by("pk").values_list("pk", flat=True)
    last = all_ids.last() or 0
    first = all_ids.first()
    while first is not None and first <= last:
        end = min(first + CHUNK_ROWS - 1, last)
        yield list(values.filter(pk__gte=first, pk__lte=end))
        first = all_ids.filter(pk__gt=end).first()  # skip a gap of any size


def iter_csv(columns: Sequence[ExportColumn], chunks: Iterable[list[Row]]) -> Iterator[str]:
    """Yield a header line, then the lines of each chunk. Prefix formulas with an apostrophe."""
    converters = {
        part.start: column.in_csv for column, part in column_slices(columns) if column.in_csv is not None
    }
    yield csv_lines([[header for column in columns for header in column.headers]])
    for chunk in chunks:
        yield csv_lines(csv_row(row, converters) for row in chunk)


def csv_row(row: Sequence[Any], converters: dict[int, Callable[[Any], Any]]) -> list[object]:
    if converters:
        row = [converters[index](value) if index in converters else value for index, value in enumerate(row)]
    return [value if type(value) in UNQUOTED_TYPES else csv_cell(value) for value in row]


def csv_lines(table: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(table)
    return text.getvalue()


def iter_json_lines(columns: Sequence[ExportColumn], chunks: Iterable[list[Row]]) -> Iterator[str]:
    slices, encode = column_slices(columns), json.JSONEncoder(default=isoformat, ensure_ascii=False).encode
    for chunk in chunks:
        objects = ({column.name: column.json_value(row[part]) for column, part in slices} for row in chunk)
        yield "".join(f"{encode(item)}\n" for item in objects)


def column_slices(columns: Sequence[ExportColumn]) -> list[tuple[ExportColumn, slice]]:
    ends = list(accumulate(len(column.fields) for column in columns))
    return [(column, slice(end - len(column.fields), end)) for column, end in zip(columns, ends, strict=True)]


def csv_cell(value: object) -> object:
    if type(value) in UNQUOTED_TYPES:
        return value
    if isinstance(value, (date, datetime)):
        return isoformat(value)
    if isinstance(value, (list, dict)):
        value = json.dumps(value, ensure_ascii=False)
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_PREFIXES) else text


def isoformat(value: object) -> str:
    """Return a date as ISO 8601, a datetime in UTC with suffix Z, and any other value as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return str(value)
