"""Errors that API code raises; `problems` turns them into responses."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from rest_framework.exceptions import APIException

MAX_ERRORS = 20  # 64 KiB of unknown fields would give a megabyte of errors

InvalidValue = dict[str, Any]  # name, value, allowed


def invalid_parameter(name: str, value: str | None, allowed: str) -> InvalidValue:
    """Return an entry of a problem's `errors`, with name and value truncated to 200 characters."""
    return {"name": name[:200], "value": None if value is None else value[:200], "allowed": allowed}


class ApiProblem(APIException):
    """An error with its invalid values and, if temporary, the seconds until a retry."""

    def __init__(
        self, status: int, detail: str, errors: Sequence[InvalidValue] = (), wait: int | None = None
    ) -> None:
        super().__init__(detail)
        self.status_code = status
        self.errors = errors
        self.wait = wait


class InvalidParameters(ApiProblem):
    def __init__(self, errors: Sequence[InvalidValue]) -> None:
        shown = errors[:MAX_ERRORS]
        texts = []
        for error in shown:
            value = "is missing" if error["value"] is None else repr(error["value"])
            texts.append(f"{error['name']} {value}: {error['allowed']}")
        if len(errors) > MAX_ERRORS:
            texts.append(f"and {len(errors) - MAX_ERRORS} more")
        super().__init__(HTTPStatus.BAD_REQUEST, "; ".join(texts), shown)
