"""Settings of a server that dies during a request, as in a power failure or an out-of-memory kill.

`SHIOL_TESTS_DIES` is "before the commit" of a claim or "after the commit", before its response.
"""

import os
import signal
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse

from shiolplus.settings import *  # noqa: F403
from shiolplus.settings import MIDDLEWARE as THEIRS

LAST_STATEMENT = "INSERT INTO tickets_claimhour"  # of a claim's transaction


class Dies:
    """The outermost middleware: everything is committed when it gets the response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        when = os.environ["SHIOL_TESTS_DIES"]
        if request.method != "POST":
            return self.get_response(request)
        if when == "after the commit":
            response = self.get_response(request)
            assert response.status_code == 201, response.content
            die()
        with connection.execute_wrapper(die_after_last_statement):
            return self.get_response(request)


def die_after_last_statement(execute: Any, sql: str, *rest: Any) -> Any:
    result = execute(sql, *rest)
    if LAST_STATEMENT in sql:
        die()
    return result


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


MIDDLEWARE = ["tests.dying.Dies", *THEIRS]
