"""What the lists and pages of both apps share: nothing is edited, dates are ISO, filters are cheap."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from shiolplus.adminsite.changelist import RememberedFiltersAdmin

EMPTY = "-"
DRAWS_OFFERED = 30

Column = Callable[[Any], str]


class ReadOnlyAdminMixin:
    """What a machine writes, people read."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ExtraContextMixin(RememberedFiltersAdmin):
    """A row's page whose template shows more than its fields."""

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What the template shows beside the fields."""
        return {}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        more = {} if obj is None else self.page_context(request, obj)
        return super().render_change_form(request, context | more, add, change, form_url, obj)


class DrawDateFilter(admin.SimpleListFilter):
    """The newest draws that have rows; any other is reached by `?draw_date=2026-11-25`."""

    title = "draw date"
    parameter_name = "draw_date"

    def days(self, model_admin: "admin.ModelAdmin[Any]") -> Iterable[date]:
        rows = model_admin.model._default_manager.order_by("-draw_date")
        return rows.values_list("draw_date", flat=True).distinct()[:DRAWS_OFFERED]

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[tuple[str, str]]:
        return [(str(day), str(day)) for day in self.days(model_admin)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        try:
            day = date.fromisoformat(value)
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error
        return self.of_draw(queryset, day)

    def of_draw(self, rows: QuerySet[Any], day: date) -> QuerySet[Any]:
        return rows.filter(draw_date=day)


# Columns


def date_column(field: str, title: str = "") -> Column:
    """A column of dates, sorted by their field: 2026-11-25."""
    return _dates(field, title, unbroken_day)


def datetime_column(field: str, title: str = "") -> Column:
    """A column of instants, sorted by their field: 2026-11-23 12:07, in UTC."""
    return _dates(field, title, minute_text)


def minute_text(instant: datetime) -> str:
    return format_html("{} {}", unbroken_day(instant), f"{instant:%H:%M}")


def unbroken_day(day: date) -> str:
    """A narrow column breaks a date at its hyphens otherwise."""
    return format_html('<span class="nowrap">{}</span>', f"{day:%Y-%m-%d}")


def _dates(field: str, title: str, write: Callable[[Any], str]) -> Column:
    @admin.display(description=title or field.replace("_", " "), ordering=field)
    def column(row: Model) -> str:
        value = getattr(row, field)
        return EMPTY if value is None else write(value)

    column.__name__ = field  # the column's class in the page
    return column


def truncated_column(field: str, length: int, title: str = "") -> Column:
    """A column of texts cut to a length; the whole text is the cell's tooltip."""

    @admin.display(description=title or field.replace("_", " "), ordering=field)
    def column(row: Model) -> str:
        text = str(getattr(row, field) or EMPTY)
        if len(text) <= length:
            return text
        return format_html('<span title="{}">{}…</span>', text, text[: length - 1])

    column.__name__ = field
    return column
