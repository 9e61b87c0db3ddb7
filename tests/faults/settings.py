"""The project's settings for clusters under fault injection: the queue says more, and gives up sooner.

FAULT_TIMEOUT, FAULT_RETRY and FAULT_FIT_SECONDS shorten what takes minutes otherwise.
"""

from shiolplus.settings import *  # noqa: F403 - Django reads settings from one module
from shiolplus.settings import FIT_TIME_LIMIT, LOGGING, Q_CLUSTER, env
from shiolplus.settings import SILENCED_SYSTEM_CHECKS as SILENCED

# Its processes say who they are and which task they begin.
LOGGING["loggers"]["django-q"]["level"] = "INFO"  # type: ignore[index]

for name in ("timeout", "retry"):
    shorter = env.int(f"FAULT_{name.upper()}", None)
    if shorter is not None:
        Q_CLUSTER[name] = Q_CLUSTER["ALT_CLUSTERS"]["heavy"][name] = shorter
        # Deliberately shorter than a time slice. Only this module can silence the check: no variable does.
        SILENCED_SYSTEM_CHECKS = [*SILENCED, "shiolplus.E002"]
FIT_TIME_LIMIT = env.int("FAULT_FIT_SECONDS", FIT_TIME_LIMIT)
