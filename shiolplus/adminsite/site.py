"""The admin site: no page answers 500 because of a value in its URL.

Django checks the filters of a list only in part: a year without a date, an integer beyond 64 bits or a NUL
raises when the query is compiled, when the database runs it, or when the template draws the date hierarchy.
So the guard surrounds a whole view with its rendering, for every admin, whoever wrote it.
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

LONGEST_VALUE = 1000  # characters; SQLite refuses a search for a thousand words
# What a value in a URL makes Python, Django or the database raise. OperationalError is not among them: it is
# how an absent database reports itself.
BAD_VALUE_ERRORS = (
    *(ValueError, TypeError, LookupError, ArithmeticError),
    *(ValidationError, FieldError, IncorrectLookupParameters),
    *(DataError, NotSupportedError, ProgrammingError),
)
AUTOCOMPLETE, EXPORT = "autocomplete", "_export"  # the names of URLs, and the ends of such names
LISTS = ("_changelist", EXPORT)


class BadValue(ValueError):
    """A value that no page accepts, found before it is used."""


class Site(admin.AdminSite):
    def admin_view(self, view: View, cacheable: bool = False) -> View:
        return super().admin_view(_guarded(view), cacheable)


def _guarded(view: View) -> View:
    """Wrap a view: what a value in its URL breaks is answered as a bad request."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        model_admin = getattr(view, "__self__", None)  # of the views that a ModelAdmin has
        path_values = [*args, *kwargs.values()]
        if request.method == "GET" and not (path_values or request.GET):
            return view(request, *args, **kwargs)
        try:
            _check_values(request, path_values)
            with _savepoint():
                response = view(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    response.render()  # lists run queries here, too
                return response
        except BAD_VALUE_ERRORS as error:
            if not _is_due_to_url(request, model_admin, error, path_values):
                raise
            logger.warning("Refused a value in a URL of %s: %.200r", page_name(request) or view, error)
            return _refuse(request, model_admin, path_values)

    return cast(View, guarded)


def _savepoint() -> AbstractContextManager[None]:
    """Return a savepoint if a transaction is open, which a refused query would break on PostgreSQL.

    None is begun otherwise: on SQLite it would be a write transaction, and queries stand alone in autocommit.
    """
    return transaction.atomic() if connection.in_atomic_block else nullcontext()


def _check_values(request: HttpRequest, path_values: Sequence[Any]) -> None:
    """Raise BadValue for what the databases do not refuse alike, or refuse by an OperationalError."""
    in_path = [unquote(value) for value in path_values if isinstance(value, str)]  # as the admin reads them
    in_query = [text for name, values in request.GET.lists() for text in (name, *values)]
    if any("\0" in text for text in (*in_path, *in_query)):
        raise BadValue("NUL characters are in no value")
    if not page_name(request).endswith((*LISTS, AUTOCOMPLETE)):
        return
    if any("\0" in key for key in request.POST.getlist(ACTION_CHECKBOX_NAME)):
        raise BadValue("NUL characters are in no key")
    if any(len(text) > LONGEST_VALUE for text in in_query):
        raise BadValue(f"values have at most {LONGEST_VALUE} characters")
    if any(name.endswith("regex") for name in request.GET):
        raise BadValue("no list is filtered by regular expressions")


def page_name(request: HttpRequest) -> str:
    """Return the name of the requested URL, such as predictions_draw_changelist."""
    return (request.resolver_match and request.resolver_match.url_name) or ""


def _is_due_to_url(
    request: HttpRequest, model_admin: Any, error: Exception, path_values: Sequence[Any]
) -> bool:
    """Return whether a value in the URL may be the cause; without any, the error is a defect of ours."""
    if isinstance(error, BadValue):
        return True
    if path_values:
        return not _has_object(request, model_admin, str(path_values[0]))
    if request.method in ("GET", "HEAD"):
        return bool(request.GET.keys() - {ERROR_FLAG})
    return page_name(request).endswith(LISTS) and _has_bad_filter(request, model_admin)


def _has_object(request: HttpRequest, model_admin: Any, key: str) -> bool:
    """Return whether a page's object is there, so that its key is not what failed."""
    if not isinstance(model_admin, ModelAdmin):
        return False
    try:
        with _savepoint():
            return model_admin.get_object(request, unquote(key)) is not None
    except BAD_VALUE_ERRORS:
        return False


def _has_bad_filter(request: HttpRequest, model_admin: "ModelAdmin[Any]") -> bool:
    """Return whether a list cannot find the selected rows, rather than what is done with them fails."""
    selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
    try:
        with _savepoint():
            listed = model_admin.get_changelist_instance(request)
            listed.root_queryset.filter(pk__in=selected).exists()
    except BAD_VALUE_ERRORS:
        return True
    return False


def _refuse(request: HttpRequest, model_admin: Any, path_values: Sequence[Any]) -> HttpResponse:
    """Return what Django's own pages do with values they refuse."""
    page = page_name(request)
    if page == AUTOCOMPLETE:
        return JsonResponse({"results": [], "pagination": {"more": False}})
    if page.endswith(LISTS):
        if page.endswith(EXPORT):
            messages.error(
                request, "Nothing was exported: the URL has a filter that this list does not know."
            )
        opts = model_admin.opts
        changelist = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
        return HttpResponseRedirect(f"{changelist}?{ERROR_FLAG}=1")
    if path_values:
        raise Http404("There is no such object.")
    raise BadRequest("A value in the URL is malformed.")
