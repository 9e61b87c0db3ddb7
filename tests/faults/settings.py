"""Settings of clusters under fault injection, with a verbose queue and short time limits.

FAULT_TIMEOUT, FAULT_RETRY and FAULT_FIT_SECONDS override the time limits.
"""

from shiolplus.settings import *  # noqa: F403 - Django reads settings from one module
from shiolplus.settings import FIT_TIME_LIMIT, LOGGING, Q_CLUSTER, env
from shiolplus.settings import SILENCED_SYSTEM_CHECKS as SILENCED

# Log the role of each process and the start of each task.
LOGGING["loggers"]["django-q"]["level"] = "INFO"  # type: ignore[index]

for name in ("timeout", "retry"):
    shorter = env.int(f"FAULT_{name.upper()}", None)
    if shorter is not None:
        Q_CLUSTER[name] = Q_CLUSTER["ALT_CLUSTERS"]["heavy"][name] = shorter
        # Deliberately shorter than a time slice. No environment variable can silence the check.
        SILENCED_SYSTEM_CHECKS = [*SILENCED, "shiolplus.E002"]
FIT_TIME_LIMIT = env.int("FAULT_FIT_SECONDS", FIT_TIME_LIMIT)
