"""Lists that remember their filters for the session and describe them above the rows."""

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

SESSION_KEY = "admin-lists"  # {"tickets.claim": "mode=v1"}
TRANSIENT_PARAMETERS = (PAGE_VAR, ERROR_FLAG, IS_FACETS_VAR, ALL_VAR)
NOT_FILTERS = (*TRANSIENT_PARAMETERS, ORDER_VAR, IS_POPUP_VAR)
MAX_QUERY_LENGTH = 1000  # longer queries are not remembered

Links = dict[str, Any]


class RememberedFiltersAdmin(admin.ModelAdmin):
    """Restore a list's last filters when it is opened without a query from another admin page.

    Links on the list itself, such as "Clear all filters", clear them.
    """

    change_list_template = "adminsite/change_list.html"
    hierarchy: ClassVar[type["DrawMonthFilter"] | None] = None

    class Media:
        css: ClassVar[dict[str, list[str]]] = {"all": ["adminsite/lists.css"]}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if (query := self.remembered_query(request)) is not None:
            return HttpResponseRedirect(f"{request.path}?{query}")
        response = super().changelist_view(request, extra_context)
        if request.method == "GET" and IS_POPUP_VAR not in request.GET:
            self.remember_query(request, response)
        if isinstance(response, TemplateResponse) and response.context_data is not None:
            changelist = response.context_data.get("cl")
            if changelist is not None:
                response.context_data |= self.list_context(request, changelist)
        return response

    def list_context(self, request: HttpRequest, changelist: ChangeList) -> dict[str, Any]:
        return {
            "filtered_by": describe_filters(changelist),
            "hierarchy": self.hierarchy.links(changelist) if self.hierarchy else None,
        }

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return additional template context of an object's page."""
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
        extra_context = {} if obj is None else self.page_context(request, obj)
        return super().render_change_form(request, context | extra_context, add, change, form_url, obj)

    def get_paginator(
        self, request: HttpRequest, queryset: Any, per_page: int, *args: Any, **options: Any
    ) -> Paginator:
        # An object's history view paginates log entries.
        paginator_class = self.paginator if queryset.model is self.model else Paginator
        return paginator_class(queryset, per_page, *args, **options)

    def remembered_query(self, request: HttpRequest) -> str | None:
        referer = urlsplit(request.headers.get("Referer", ""))
        if (
            request.method != "GET"
            or request.GET
            or referer.netloc != request.get_host()
            or referer.path == request.path
            or not referer.path.startswith(reverse("admin:index"))
        ):
            return None
        query: str | None = request.session.get(SESSION_KEY, {}).get(self.opts.label_lower)
        return query

    def remember_query(self, request: HttpRequest, response: HttpResponse) -> None:
        """Store this request's filters and sort order; forget them if the list rejected them."""
        query = "" if response.status_code != 200 else persistent_query(request.GET)
        remembered: dict[str, str] = request.session.get(SESSION_KEY, {})
        if query == remembered.get(self.opts.label_lower, ""):
            return
        others = {label: value for label, value in remembered.items() if label != self.opts.label_lower}
        request.session[SESSION_KEY] = others | ({self.opts.label_lower: query} if query else {})


def log_list_action(
    request: HttpRequest, model: type[Model], message: str, title: str = "", action_flag: int = CHANGE
) -> None:
    """Add an admin log entry about an action on a list rather than on one object."""
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=ContentType.objects.get_for_model(model),
        object_repr=(title or message)[:200],
        action_flag=action_flag,
        change_message=message,
    )


def persistent_query(params: QueryDict) -> str:
    """Return the query string that selects and sorts a list's rows, without page numbers and flags."""
    params = params.copy()
    for name in TRANSIENT_PARAMETERS:
        params.pop(name, None)
    for name in [name for name, value in params.items() if not value]:
        del params[name]
    query = params.urlencode()
    return query if len(query) <= MAX_QUERY_LENGTH else ""


def describe_filters(changelist: ChangeList) -> str:
    """Return a list's active filters as text, such as "mode v1, draw date 2026-11-25"."""
    texts, params = [], dict(changelist.params)
    for spec in changelist.filter_specs:
        values = {name: params.pop(name) for name in spec.expected_parameters() if name in params}
        if values:
            choices = [
                str(choice["display"]) for choice in spec.choices(changelist) if choice.get("selected")
            ]
            texts.append(f"{spec.title} {' '.join(choices or map(str, values.values()))}")
    texts += [
        f"{name.replace('__', ' ').replace('_', ' ')} {value}"
        for name, value in params.items()
        if name not in (*NOT_FILTERS, SEARCH_VAR)
    ]
    if changelist.query:
        texts.append(f"search “{changelist.query}”")
    return ", ".join(texts)


class DrawMonthFilter(admin.SimpleListFilter):
    """Filter by the month of the draw, for tables too large to read distinct dates from."""

    title = "draw month"
    parameter_name = "draw_month"
    day_parameter = "draw_date"

    @classmethod
    def draw_days(cls) -> Iterable[date]:
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[tuple[str, str]]:
        months = dict.fromkeys(f"{day:%Y-%m}" for day in self.draw_days())
        return [(month, month) for month in months]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        return self.filter_by_days(
            queryset, [day for day in self.draw_days() if f"{day:%Y-%m}" == self.value()]
        )

    def filter_by_days(self, rows: Any, days: list[date]) -> Any:
        return rows.filter(draw_date__in=days)

    @classmethod
    def links(cls, changelist: ChangeList) -> Links:
        """Return the context of Django's date hierarchy: the months, or the draws of the selected month."""
        days = list(cls.draw_days())
        months = list(dict.fromkeys(f"{day:%Y-%m}" for day in days))
        selected_day = str(changelist.params.get(cls.day_parameter, ""))
        month = str(changelist.params.get(cls.parameter_name, "")) or selected_day[:7]
        if not month and len(months) == 1:
            month = months[0]
        if not month:
            choices = [
                cls.make_link(changelist, month, cls.parameter_name, month) for month in reversed(months)
            ]
            return {"show": bool(months), "choices": choices}
        has_back = len(months) > 1 or selected_day
        return {
            "show": bool(days),
            "back": cls.make_link(changelist, "All draws") if has_back else None,
            "choices": [
                {"title": str(day)}
                if str(day) == selected_day
                else cls.make_link(changelist, str(day), cls.day_parameter, str(day))
                for day in reversed(days)
                if f"{day:%Y-%m}" == month
            ],
        }

    @classmethod
    def make_link(cls, changelist: ChangeList, title: str, parameter: str = "", value: str = "") -> Links:
        params = {parameter: value} if parameter else {}
        query = changelist.get_query_string(params, [cls.parameter_name, cls.day_parameter])
        return {"title": title, "link": query}
