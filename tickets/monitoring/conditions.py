"""Conditions of the installation that keep it from working, each with a message and what to do about it.

`/readyz` groups them by subject, `status` and the dashboard list them among the diagnostics.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from predictions.workqueue.heartbeats import heartbeat_faults
from shiolplus.logs.outages import REDIS_PASSWORD, outage_of
from tickets.monitoring import probes

ERROR, WARNING = "error", "warning"
MEBIBYTE = 1024**2


@dataclass(frozen=True)
class Condition:
    """One finding. `subject` is the host, folder or file that it is about.

    `summary` is for anonymous readers of /readyz: it names no path and no address.
    """

    level: str
    code: str
    message: str
    hint: str
    subject: str
    summary: str


def find_conditions() -> list[Condition]:
    """Return all but key_conditions, as found now; an unreachable database raises DatabaseError."""
    return [
        *database_conditions(),
        *disk_conditions(),
        *cache_conditions(),
        *heartbeat_conditions(),
    ]


def database_conditions() -> Iterator[Condition]:
    if not (reason := probes.refused_write()):
        return
    if connection.vendor == "postgresql":
        hint = "connect to the primary server, or `ALTER DATABASE … SET default_transaction_read_only = off`"
    else:
        hint = f"make {connection.settings_dict['NAME']} and its folder writable for the service's user"
    message = f"The database is read-only ({reason}): no tickets are generated and no claims granted."
    yield Condition(ERROR, "database_read_only", message, hint, "", message)


def disk_conditions() -> Iterator[Condition]:
    for disk in probes.disks():
        folder, free = str(disk.folder), f"{disk.free / MEBIBYTE:,.0f} MB free"
        if disk.is_full or disk.is_low:
            level, code, state = (
                (ERROR, "disk_full", "full") if disk.is_full else (WARNING, "disk_low", "nearly full")
            )
            hint = f"`df -h {folder}`; free space there, or enlarge the disk"
            message = f"The disk of {folder} is {state}: {free}; tickets, claims and logs are stored there."
            summary = f"The disk of the {disk.name} is {state}: {free}."
            yield Condition(level, code, message, hint, folder, summary)
        elif disk.error:
            hint = f"make {folder} writable for the service's user: `ls -ld {folder}`, `findmnt -T {folder}`"
            message = f"No file can be written in {folder}: {disk.error}."
            summary = f"No file can be written in the folder of the {disk.name}: {disk.error}."
            yield Condition(ERROR, "disk_not_writable", message, hint, folder, summary)


def cache_conditions() -> Iterator[Condition]:
    if (error := probes.cache_error()) is None:
        return
    host = urlsplit(settings.CACHES["default"]["LOCATION"])
    place = f"{host.hostname}:{host.port or 6379}"  # without the password
    if outage_of(error) == REDIS_PASSWORD:
        code, state = "redis_password", "refuses the user name or password of CACHE_URL"
        hint = "set the right password in CACHE_URL and restart web and clusters"
    else:
        code, state = "redis_unreachable", f"does not accept writes ({type(error).__name__})"
        hint = f"start it, or correct CACHE_URL: `redis-cli -h {host.hostname} -p {host.port or 6379} ping`"
    state += ": each process counts requests on its own, so rate limits are looser."
    yield Condition(WARNING, code, f"Redis at {place} {state}", hint, place, f"Redis {state}")


def key_conditions(others: Iterable[tuple[str, str]]) -> Iterator[Condition]:
    """Yield a finding for the queue and host of each live cluster with another secret key."""
    for queue, host in others:
        state = "has another secret key than this process: it cannot read the tasks, so work waits."
        hint = "set the same SHIOL_SECRET_KEY (or var/secret-key) on all hosts, and restart web and clusters"
        name = f"{queue} on {host}"
        yield Condition(
            ERROR,
            "secret_key_mismatch",
            f"Cluster {name} {state}",
            hint,
            name,
            f"A cluster of queue {queue} {state}",
        )


def heartbeat_conditions() -> Iterator[Condition]:
    for fault in heartbeat_faults():
        message = f"Heartbeat file {fault.path} {fault.reason}, which is taken for no heartbeat."
        summary = "A heartbeat file of a cluster cannot be read, which is taken for no heartbeat."
        yield Condition(WARNING, "heartbeat_file", message, fault.hint, str(fault.path), summary)
