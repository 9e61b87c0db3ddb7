"""Column factories, filters and mixins of the admin."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

EMPTY = "-"
MAX_DRAW_CHOICES = 30

Column = Callable[[Any], str]


class ReadOnlyAdminMixin:
    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class DrawDateFilter(admin.SimpleListFilter):
    """Offer the newest draws that have rows. Others can be requested as `?draw_date=2026-11-25`."""

    title = "draw date"
    parameter_name = "draw_date"

    def draw_days(self, model_admin: "admin.ModelAdmin[Any]") -> Iterable[date]:
        rows = model_admin.model._default_manager.order_by("-draw_date")
        return rows.values_list("draw_date", flat=True).distinct()[:MAX_DRAW_CHOICES]

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[tuple[str, str]]:
        return [(str(day), str(day)) for day in self.draw_days(model_admin)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        try:
            day = date.fromisoformat(value)
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error
        return self.filter_by_draw(queryset, day)

    def filter_by_draw(self, rows: QuerySet[Any], day: date) -> QuerySet[Any]:
        return rows.filter(draw_date=day)


def date_column(field: str, title: str = "") -> Column:
    """Return a sortable column of dates such as 2026-11-25."""
    return formatted_column(field, title, format_date)


def datetime_column(field: str, title: str = "") -> Column:
    """Return a sortable column of UTC times such as 2026-11-23 12:07."""
    return formatted_column(field, title, format_minute)


def format_minute(instant: datetime) -> str:
    return format_html("{} {}", format_date(instant), f"{instant:%H:%M}")


def format_date(day: date) -> str:
    """Format a date so that a narrow column does not break it at its hyphens."""
    return format_html('<span class="nowrap">{}</span>', f"{day:%Y-%m-%d}")


def formatted_column(field: str, title: str, format_value: Callable[[Any], str]) -> Column:
    @admin.display(description=title or field.replace("_", " "), ordering=field)
    def column(row: Model) -> str:
        value = getattr(row, field)
        return EMPTY if value is None else format_value(value)

    column.__name__ = field  # Django derives the cell's CSS class from it
    return column


def truncated_column(field: str, length: int, title: str = "") -> Column:
    """Return a column of texts truncated to `length` characters, with the full text as a tooltip."""

    @admin.display(description=title or field.replace("_", " "), ordering=field)
    def column(row: Model) -> str:
        text = str(getattr(row, field) or EMPTY)
        if len(text) <= length:
            return text
        return format_html('<span title="{}">{}…</span>', text, text[: length - 1])

    column.__name__ = field
    return column
