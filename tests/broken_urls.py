"""URL configuration whose views raise errors, for tests of error responses."""

from collections.abc import Callable
from typing import NoReturn

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.views import APIView


def raising(error: Exception) -> Callable[[HttpRequest], NoReturn]:
    """Return a view that raises an error."""

    def view(request: HttpRequest) -> NoReturn:
        raise error

    return view


class Broken(APIView):
    def get(self, request: Request) -> NoReturn:
        raise RuntimeError("a secret of the inside")


def teapot(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<h1>a secret</h1>", status=418)


def broken_middleware(get_response: object) -> Callable[[HttpRequest], NoReturn]:
    return raising(RuntimeError("a secret of the middle"))


urlpatterns = [
    path("api/v1/broken", Broken.as_view()),
    path("api/page", raising(RuntimeError("a secret of the page"))),
    path("healthz", raising(RuntimeError("a secret of the health"))),
    path("page", raising(RuntimeError("a secret of the page"))),
    path("api/suspicious", raising(SuspiciousOperation("a secret"))),
    path("api/too-big", raising(RequestDataTooBig("a secret"))),
    path("api/forbidden", raising(PermissionDenied("a secret"))),
    path("api/teapot", teapot),
]
handler500 = "tickets.api.problems.server_error"
