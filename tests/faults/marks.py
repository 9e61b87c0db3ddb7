"""Marks of fault tests."""

import os

import pytest

ON_BOTH = pytest.mark.parametrize("world", ["sqlite", "postgres"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize("world", ["postgres"], indirect=True)
IN_FULL = pytest.mark.skipif(
    os.environ.get("SHIOL_FAULTS") != "all", reason="takes long: SHIOL_FAULTS=all, or `make faults`, runs it"
)
