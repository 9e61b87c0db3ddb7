"""Lists whose filters stick: they are remembered, said above the list, and cleared where one clears them."""

from collections.abc import Iterable
from datetime import date
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IS_FACETS_VAR, IS_POPUP_VAR
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, ORDER_VAR, PAGE_VAR, SEARCH_VAR, ChangeList
from django.contrib.contenttypes.models import ContentType
from django.core.paginator import Paginator
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse

REMEMBERED = "admin-lists"  # in the session: {"tickets.claim": "mode=v1"}
NOT_REMEMBERED = (PAGE_VAR, ERROR_FLAG, IS_FACETS_VAR, ALL_VAR)
LONGEST = 1000  # characters of a query that are remembered

Links = dict[str, Any]


class RememberedFiltersAdmin(admin.ModelAdmin):
    """A list that is opened again as it was left.

    Opened from another page of the admin without a query it shows what it was last filtered by in this
    session. A link of the list itself that has no query, such as "Clear all filters", clears.
    """

    change_list_template = "adminsite/change_list.html"
    hierarchy: ClassVar[type["DrawMonthFilter"] | None] = None

    class Media:
        css: ClassVar[dict[str, list[str]]] = {"all": ["adminsite/lists.css"]}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if (query := self._to_restore(request)) is not None:
            return HttpResponseRedirect(f"{request.path}?{query}")
        response = super().changelist_view(request, extra_context)
        if request.method == "GET" and IS_POPUP_VAR not in request.GET:
            self._remember(request, response)
        if isinstance(response, TemplateResponse) and response.context_data is not None:
            listed = response.context_data.get("cl")
            if listed is not None:
                response.context_data |= self.list_context(request, listed)
        return response

    def list_context(self, request: HttpRequest, listed: ChangeList) -> dict[str, Any]:
        """What the template shows beside the rows."""
        return {
            "filtered_by": filtered_by(listed),
            "hierarchy": self.hierarchy.links(listed) if self.hierarchy else None,
        }

    def get_paginator(
        self, request: HttpRequest, queryset: Any, per_page: int, *args: Any, **options: Any
    ) -> Paginator:
        """The list's own for its rows only: a row's history is pages of log entries."""
        kind = self.paginator if queryset.model is self.model else Paginator
        return kind(queryset, per_page, *args, **options)

    def _to_restore(self, request: HttpRequest) -> str | None:
        """The remembered query, when the list is opened from elsewhere in the admin and asked for nothing."""
        came_from = urlsplit(request.headers.get("Referer", ""))
        if (
            request.method != "GET"
            or request.GET
            or came_from.netloc != request.get_host()
            or came_from.path == request.path
            or not came_from.path.startswith(reverse("admin:index"))
        ):
            return None
        remembered: str | None = request.session.get(REMEMBERED, {}).get(self.opts.label_lower)
        return remembered

    def _remember(self, request: HttpRequest, response: HttpResponse) -> None:
        """What the list is filtered and sorted by; a query that it refused is forgotten."""
        query = "" if response.status_code != 200 else query_to_keep(request.GET)
        remembered: dict[str, str] = request.session.get(REMEMBERED, {})
        if query == remembered.get(self.opts.label_lower, ""):
            return
        others = {label: one for label, one in remembered.items() if label != self.opts.label_lower}
        request.session[REMEMBERED] = others | ({self.opts.label_lower: query} if query else {})


def log_about(
    request: HttpRequest, model: type[Model], said: str, title: str = "", action_flag: int = CHANGE
) -> None:
    """An entry in the admin log of what was done to a list rather than to a row."""
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=ContentType.objects.get_for_model(model),
        object_repr=(title or said)[:200],
        action_flag=action_flag,
        change_message=said,
    )


def query_to_keep(asked: QueryDict) -> str:
    """The part of a list's address that says what is listed, and in which order."""
    kept = asked.copy()
    for name in NOT_REMEMBERED:
        kept.pop(name, None)
    for name in [name for name, value in kept.items() if not value]:
        del kept[name]
    query = kept.urlencode()
    return query if len(query) <= LONGEST else ""


def filtered_by(listed: ChangeList) -> str:
    """What a list is filtered by, for people: "mode v1, draw date 2026-11-25"; empty when by nothing."""
    said, params = [], dict(listed.params)
    for spec in listed.filter_specs:
        given = {name: params.pop(name) for name in spec.expected_parameters() if name in params}
        if given:
            chosen = [str(one["display"]) for one in spec.choices(listed) if one.get("selected")]
            said.append(f"{spec.title} {' '.join(chosen or map(str, given.values()))}")
    said += [
        f"{name.replace('__', ' ').replace('_', ' ')} {value}"
        for name, value in params.items()
        if name not in (*NOT_REMEMBERED, ORDER_VAR, SEARCH_VAR, IS_POPUP_VAR)
    ]
    if listed.query:
        said.append(f"search “{listed.query}”")
    return ", ".join(said)


class DrawMonthFilter(admin.SimpleListFilter):
    """Draws by month, for lists whose rows are too many for their dates to be read: others know the days."""

    title = "draw month"
    parameter_name = "draw_month"
    day_parameter = "draw_date"

    @classmethod
    def days(cls) -> Iterable[date]:
        """The draws that have rows, newest first."""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[tuple[str, str]]:
        months = dict.fromkeys(f"{day:%Y-%m}" for day in self.days())
        return [(month, month) for month in months]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        return self.of_days(queryset, [day for day in self.days() if f"{day:%Y-%m}" == self.value()])

    def of_days(self, rows: Any, days: list[date]) -> Any:
        return rows.filter(draw_date__in=days)

    @classmethod
    def links(cls, listed: ChangeList) -> Links:
        """As Django's own date hierarchy: the months, and within one its draws."""
        days = list(cls.days())
        months = list(dict.fromkeys(f"{day:%Y-%m}" for day in days))
        chosen_day = str(listed.params.get(cls.day_parameter, ""))
        month = str(listed.params.get(cls.parameter_name, "")) or chosen_day[:7]
        if not month and len(months) == 1:
            month = months[0]
        if not month:
            return {
                "show": bool(months),
                "choices": [cls._link(listed, one, month=one) for one in months[::-1]],
            }
        return {
            "show": bool(days),
            "back": {"title": "All draws", "link": cls._address(listed)}
            if len(months) > 1 or chosen_day
            else None,
            "choices": [
                {"title": str(day)} if str(day) == chosen_day else cls._link(listed, str(day), day=str(day))
                for day in reversed(days)
                if f"{day:%Y-%m}" == month
            ],
        }

    @classmethod
    def _link(cls, listed: ChangeList, title: str, month: str = "", day: str = "") -> Links:
        asked = {cls.parameter_name: month, cls.day_parameter: day}
        return {
            "title": title,
            "link": cls._address(listed, {name: one for name, one in asked.items() if one}),
        }

    @classmethod
    def _address(cls, listed: ChangeList, asked: dict[str, str] | None = None) -> str:
        return listed.get_query_string(asked or {}, [cls.parameter_name, cls.day_parameter])
