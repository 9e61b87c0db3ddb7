"""WSGI application that waits on import until the file SHIOL_TESTS_GATE exists."""

import os
import time
from pathlib import Path

GATE = Path(os.environ["SHIOL_TESTS_GATE"])
while not GATE.exists():
    time.sleep(0.05)

from shiolplus.wsgi import application  # noqa: E402, F401
