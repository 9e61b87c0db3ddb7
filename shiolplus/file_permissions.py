"""Restrict the files of an installation to its user: who reads the database or key can become a superuser."""

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

logger = logging.getLogger(__name__)

OTHERS = 0o077
PRIVATE = 0o700
MAX_LISTED = 5
# Names that this project creates in a folder shared with other programs.
OWN_NAMES = ("secret-key", "cluster.lock", "logs", "models", "queue-status")
SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Entry:
    path: Path
    status: os.stat_result

    @property
    def is_open(self) -> bool:
        return bool(stat.S_IMODE(self.status.st_mode) & OTHERS)


def restrict_umask() -> None:
    os.umask(os.umask(OTHERS) | OTHERS)


def make_directory(folder: Path) -> None:
    folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)


def is_shared(folder: Path) -> bool:
    """Return True for a folder such as /tmp (sticky bit), which contains files of other programs."""
    try:
        return bool(folder.stat().st_mode & stat.S_ISVTX)
    except OSError:
        return False


def find_entries(var: Path, database: Path | None) -> Iterator[Entry]:
    """Yield every file and directory that must be private, but not the folder of a database elsewhere."""
    seen: set[Path] = set()
    tops = [var / name for name in OWN_NAMES] if is_shared(var) else [var]
    for path in (*chain.from_iterable(map(walk_tree, tops)), *database_files(database)):
        entry = None if path in seen else read_entry(path)
        seen.add(path)
        if entry is not None:
            yield entry


def walk_tree(top: Path) -> Iterator[Path]:
    yield top
    for folder, folders, files in os.walk(top):
        for name in (*folders, *files):
            yield Path(folder, name)


def database_files(database: Path | None) -> Iterator[Path]:
    if database is not None:
        real = database.resolve()
        for suffix in SQLITE_SUFFIXES:
            yield real.with_name(real.name + suffix)


def read_entry(path: Path) -> Entry | None:
    """Return a file or directory; None for links, sockets (a web server may need one) and vanished paths."""
    try:
        status = path.lstat()
    except OSError:
        return None
    is_private_kind = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    return Entry(path, status) if is_private_kind else None


def tighten(var: Path, database: Path | None = None) -> int:
    """Remove all permissions of the group and of others. Return the number of changed paths."""
    changed = 0
    for entry in find_entries(var, database):
        if not entry.is_open:
            continue
        try:
            entry.path.chmod(stat.S_IMODE(entry.status.st_mode) & ~OTHERS)
        except OSError:  # another user's; the system check reports it
            continue
        changed += 1
    return changed


def sqlite_file() -> Path | None:
    """Return the path of the default database, or None if it is not a SQLite file."""
    database: dict[str, Any] = settings.DATABASES["default"]
    name = str(database["NAME"])
    is_file = database["ENGINE"].endswith("sqlite3") and ":memory:" not in name and "mode=memory" not in name
    return Path(name) if is_file else None


def tighten_installation() -> None:
    if changed := tighten(settings.VAR, sqlite_file()):
        logger.warning("Removed the permissions of other users from %d paths in %s", changed, settings.VAR)


@register(Tags.security)
def check_file_permissions(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn about files that other users can access (W030) or do not belong to the folder's owner (W031)."""
    entries = list(find_entries(settings.VAR, sqlite_file()))
    warnings: list[CheckMessage] = []
    if exposed := [entry.path for entry in entries if entry.is_open]:
        warnings.append(
            Warning(
                f"Other users of this machine can access {join_paths(exposed)}.",
                hint="They may contain sessions, password hashes or the secret key. As root or their owner, "
                f"run `chmod -R go= {settings.VAR}` (likewise for a SQLite file elsewhere).",
                id="shiolplus.W030",
            )
        )
    owner = find_owner(settings.VAR)
    if foreign := [entry.path for entry in entries if entry.status.st_uid != owner]:
        warnings.append(
            Warning(
                f"The owner of {settings.VAR} does not own {join_paths(foreign)}.",
                hint="A command was run as another user, for example with sudo. As root, run "
                f"`chown -R {owner} {settings.VAR}`, and use `sudo -u` with the service's user in future.",
                id="shiolplus.W031",
            )
        )
    return warnings


def find_owner(folder: Path) -> int:
    try:
        return os.geteuid() if is_shared(folder) else folder.stat().st_uid
    except OSError:
        return os.geteuid()


def join_paths(paths: list[Path]) -> str:
    omitted = len(paths) - MAX_LISTED
    return ", ".join(map(str, paths[:MAX_LISTED])) + (f" and {omitted} more" if omitted > 0 else "")
