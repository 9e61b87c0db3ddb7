"""The admin site, which responds to an invalid value in a URL with a redirect or 4xx instead of 500.

Django validates list filters only partly: a year out of range or a NUL character raises in the query or in
the template. So each view is guarded together with its rendering.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters, ModelAdmin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import BadRequest, FieldError, ValidationError
from django.db import DataError, NotSupportedError, ProgrammingError, connection, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import reverse

logger = logging.getLogger(__name__)

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

MAX_VALUE_LENGTH = 1000  # characters; SQLite rejects a search for a thousand words
# Errors that an invalid value can raise. OperationalError means an unavailable database instead.
BAD_VALUE_ERRORS = (
    *(ValueError, TypeError, LookupError, ArithmeticError),
    *(ValidationError, FieldError, IncorrectLookupParameters),
    *(DataError, NotSupportedError, ProgrammingError),
)
AUTOCOMPLETE, EXPORT = "autocomplete", "_export"  # URL names and their suffixes
LISTS = ("_changelist", EXPORT)


class BadValue(ValueError):
    pass


class Site(admin.AdminSite):
    def admin_view(self, view: View, cacheable: bool = False) -> View:
        return super().admin_view(guard_view(view), cacheable)


def guard_view(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        model_admin = getattr(view, "__self__", None)  # None unless the view is a ModelAdmin's method
        path_values = [*args, *kwargs.values()]
        if request.method == "GET" and not (path_values or request.GET):
            return view(request, *args, **kwargs)
        try:
            check_values(request, path_values)
            with savepoint_if_atomic():
                response = view(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    response.render()  # rendering a list runs queries too
                return response
        except BAD_VALUE_ERRORS as error:
            if not is_due_to_url(request, model_admin, error, path_values):
                raise
            logger.warning("Rejected a value in a URL of %s: %.200r", page_name(request) or view, error)
            return rejection_response(request, model_admin, path_values)

    return cast(View, guarded)


def savepoint_if_atomic() -> AbstractContextManager[None]:
    """Return a savepoint if a transaction is open, which a failed query would abort on PostgreSQL."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()


def check_values(request: HttpRequest, path_values: Sequence[Any]) -> None:
    """Raise BadValue for values that only one database rejects or that raise OperationalError."""
    in_path = [unquote(value) for value in path_values if isinstance(value, str)]
    in_query = [text for name, values in request.GET.lists() for text in (name, *values)]
    if any("\0" in text for text in (*in_path, *in_query)):
        raise BadValue("a value contains a NUL character")
    if not page_name(request).endswith((*LISTS, AUTOCOMPLETE)):
        return
    if any("\0" in key for key in request.POST.getlist(ACTION_CHECKBOX_NAME)):
        raise BadValue("a key contains a NUL character")
    if any(len(text) > MAX_VALUE_LENGTH for text in in_query):
        raise BadValue(f"a value is longer than {MAX_VALUE_LENGTH} characters")
    if any(name.endswith("regex") for name in request.GET):
        raise BadValue("filtering by regular expressions is not supported")


def page_name(request: HttpRequest) -> str:
    return (request.resolver_match and request.resolver_match.url_name) or ""


def is_due_to_url(
    request: HttpRequest, model_admin: Any, error: Exception, path_values: Sequence[Any]
) -> bool:
    """Return True if a value in the URL may have caused the error."""
    if isinstance(error, BadValue):
        return True
    if path_values:
        return not has_object(request, model_admin, str(path_values[0]))
    if request.method in ("GET", "HEAD"):
        return bool(request.GET.keys() - {ERROR_FLAG})
    return page_name(request).endswith(LISTS) and has_bad_filter(request, model_admin)


def has_object(request: HttpRequest, model_admin: Any, key: str) -> bool:
    if not isinstance(model_admin, ModelAdmin):
        return False
    try:
        with savepoint_if_atomic():
            return model_admin.get_object(request, unquote(key)) is not None
    except BAD_VALUE_ERRORS:
        return False


def has_bad_filter(request: HttpRequest, model_admin: "ModelAdmin[Any]") -> bool:
    """Return True if selecting the rows fails, as opposed to the action on them."""
    selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
    try:
        with savepoint_if_atomic():
            changelist = model_admin.get_changelist_instance(request)
            changelist.root_queryset.filter(pk__in=selected).exists()
    except BAD_VALUE_ERRORS:
        return True
    return False


def rejection_response(request: HttpRequest, model_admin: Any, path_values: Sequence[Any]) -> HttpResponse:
    page = page_name(request)
    if page == AUTOCOMPLETE:
        return JsonResponse({"results": [], "pagination": {"more": False}})
    if page.endswith(LISTS):
        if page.endswith(EXPORT):
            messages.error(
                request, "Nothing was exported: the URL has a filter that this list does not support."
            )
        opts = model_admin.opts
        name = f"admin:{opts.app_label}_{opts.model_name}_changelist"
        return HttpResponseRedirect(reverse(name, query={ERROR_FLAG: 1}))
    if path_values:
        raise Http404("No such object.")
    raise BadRequest("A value in the URL is malformed.")
