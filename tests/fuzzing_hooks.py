"""Schemathesis hooks: most idempotency keys are made unique."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import schemathesis
from schemathesis import Case, HookContext

KEY_HEADER = "Idempotency-Key"

_SOUND = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")  # valid according to the schema; others are not changed
_numbers: Iterator[int] = count(1)


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Make most claims' keys unique. Generated keys repeat, and a repeated key gives a 422."""
    key = (case.headers or {}).get(KEY_HEADER)
    if isinstance(key, str) and _SOUND.fullmatch(key) and (number := next(_numbers)) % 8:
        case.headers[KEY_HEADER] = f"{key[:200]}-{number}"
