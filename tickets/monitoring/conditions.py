"""Conditions that keep the installation from working, each with a message and a hint.

`/readyz` groups them by subject; `status` and the dashboard list them as diagnostics.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from predictions.workqueue.heartbeats import heartbeat_faults
from shiolplus.logs.outages import REDIS_PASSWORD, classify_outage
from tickets.monitoring import probes

ERROR, WARNING = "error", "warning"
MEBIBYTE = 1024**2


@dataclass(frozen=True)
class Condition:
    """One finding. `subject` is the host, folder or file.

    `summary` is public (/readyz), so it names no path and no host.
    """

    level: str
    code: str
    message: str
    hint: str
    subject: str
    summary: str


def find_conditions() -> list[Condition]:
    """Return all current conditions except those of key_conditions.

    Raise DatabaseError if the database is unreachable.
    """
    return [
        *database_conditions(),
        *disk_conditions(),
        *cache_conditions(),
        *heartbeat_conditions(),
    ]


def database_conditions() -> Iterator[Condition]:
    if not (reason := probes.write_error()):
        return
    if connection.vendor == "postgresql":
        command = "ALTER DATABASE … SET default_transaction_read_only = off"
        hint = f"Connect to the primary server, or run `{command}`."
    else:
        hint = f"Make {connection.settings_dict['NAME']} and its folder writable for the service's user."
    message = f"The database is read-only ({reason}): no tickets are generated and no claims granted."
    yield Condition(ERROR, "database_read_only", message, hint, "", message)


def disk_conditions() -> Iterator[Condition]:
    for disk in probes.disks():
        folder, free = str(disk.folder), f"{disk.free / MEBIBYTE:,.0f} MB free"
        if disk.is_full or disk.is_low:
            level, code, state = (
                (ERROR, "disk_full", "full") if disk.is_full else (WARNING, "disk_low", "nearly full")
            )
            hint = f"Check `df -h {folder}`; free space there, or enlarge the disk."
            message = f"The disk of {folder} is {state}: {free}; tickets, claims and logs are stored there."
            summary = f"The disk of the {disk.name} is {state}: {free}."
            yield Condition(level, code, message, hint, folder, summary)
        elif disk.error:
            hint = (
                f"Make {folder} writable for the service's user; check `ls -ld {folder}`, "
                f"`findmnt -T {folder}`."
            )
            message = f"Cannot write to {folder}: {disk.error}."
            summary = f"Cannot write to the folder of the {disk.name}: {disk.error}."
            yield Condition(ERROR, "disk_not_writable", message, hint, folder, summary)


def cache_conditions() -> Iterator[Condition]:
    if not probes.has_redis() or (error := probes.cache_error()) is None:
        return
    url = urlsplit(settings.CACHES["default"]["LOCATION"])
    host_and_port = f"{url.hostname}:{url.port or 6379}"  # without the password
    if classify_outage(error) == REDIS_PASSWORD:
        code, state = "redis_password", "refuses the user name or password of CACHE_URL"
        hint = "Set the right password in CACHE_URL and restart web and clusters."
    else:
        code, state = "redis_unreachable", f"does not accept writes ({type(error).__name__})"
        ping = f"redis-cli -h {url.hostname} -p {url.port or 6379} ping"
        hint = f"Start it, or correct CACHE_URL; check with `{ping}`."
    state += ": each process counts requests on its own, so rate limits are looser."
    message, summary = f"Redis at {host_and_port} {state}", f"Redis {state}"
    yield Condition(WARNING, code, message, hint, host_and_port, summary)


def key_conditions(others: Iterable[tuple[str, str]]) -> Iterator[Condition]:
    """Yield a condition for each (queue, host) whose live cluster has another secret key."""
    for queue, host in others:
        state = "has another secret key than this process: it cannot read the tasks, so work waits."
        yield Condition(
            ERROR,
            "secret_key_mismatch",
            f"Cluster {queue} on {host} {state}",
            "Set the same SHIOL_SECRET_KEY (or var/secret-key) on all hosts, then restart web and clusters.",
            f"{queue} on {host}",
            f"A cluster of queue {queue} {state}",
        )


def heartbeat_conditions() -> Iterator[Condition]:
    for fault in heartbeat_faults():
        message = f"Heartbeat file {fault.path} {fault.reason}, so it counts as no heartbeat."
        summary = "A heartbeat file of a cluster cannot be read, so it counts as no heartbeat."
        yield Condition(WARNING, "heartbeat_file", message, fault.hint, str(fault.path), summary)
