"""Keep the files of an installation private to its user: directories 0700, files 0600.

`db.sqlite3` holds sessions and password hashes, and `secret-key` signs both sessions and queued tasks, so
whoever can read either can become a superuser. This module imports no app: the settings use it.
"""

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

logger = logging.getLogger(__name__)

OTHERS = 0o077  # every permission of the group and of others
PRIVATE = 0o700
SHOWN = 5  # paths that a warning names
# What this project creates in a folder that it shares with other programs.
OWN_NAMES = ("secret-key", "cluster.lock", "logs", "models", "queue-status")
SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Entry:
    """A file or directory as found, symbolic links not followed."""

    path: Path
    status: os.stat_result

    @property
    def is_open(self) -> bool:
        """Whether the group or others may do anything with it."""
        return bool(stat.S_IMODE(self.status.st_mode) & OTHERS)


def restrict_umask() -> None:
    """Make everything that this process and its children create private, whatever umask it inherited."""
    os.umask(os.umask(OTHERS) | OTHERS)


def make_directory(folder: Path) -> None:
    """Create a directory and its missing parents with mode 0700."""
    folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)


def is_shared(folder: Path) -> bool:
    """Return True for a folder such as /tmp, where other programs keep their files (sticky bit)."""
    try:
        return bool(folder.stat().st_mode & stat.S_ISVTX)
    except OSError:
        return False


def find_entries(var: Path, database: Path | None) -> Iterator[Entry]:
    """Yield every file and directory that must be private; what cannot be read is left out.

    `database` is the SQLite file, which may be outside `var`; its directory then belongs to somebody else.
    """
    seen: set[Path] = set()
    for path in (*_paths(var), *_database_files(database)):
        entry = None if path in seen else _entry(path)
        seen.add(path)
        if entry is not None:
            yield entry


def _paths(var: Path) -> Iterator[Path]:
    if is_shared(var):
        for name in OWN_NAMES:
            yield from _tree(var / name)
    else:
        yield from _tree(var)


def _tree(top: Path) -> Iterator[Path]:
    yield top
    for folder, folders, files in os.walk(top):
        for name in (*folders, *files):
            yield Path(folder, name)


def _database_files(database: Path | None) -> Iterator[Path]:
    if database is not None:
        real = database.resolve()
        for suffix in SQLITE_SUFFIXES:
            yield real.with_name(real.name + suffix)


def _entry(path: Path) -> Entry | None:
    """Return the entry of a file or directory; None for anything else, such as a link, or if it vanished.

    The target of a symbolic link may be any file of the system; a socket may be there for a web server.
    """
    try:
        status = path.lstat()
    except OSError:
        return None
    is_private_kind = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    return Entry(path, status) if is_private_kind else None


def tighten(var: Path, database: Path | None = None) -> int:
    """Remove every permission of the group and of others; return how many paths were changed.

    A path that cannot be changed, because another user owns it, is left to the system check.
    """
    changed = 0
    for entry in find_entries(var, database):
        if not entry.is_open:
            continue
        try:
            entry.path.chmod(stat.S_IMODE(entry.status.st_mode) & ~OTHERS)
        except OSError:
            continue
        changed += 1
    return changed


def sqlite_file() -> Path | None:
    """Return the path of the default database's file, or None if it is not a SQLite file."""
    database: dict[str, Any] = settings.DATABASES["default"]
    name = str(database["NAME"])
    is_file = database["ENGINE"].endswith("sqlite3") and ":memory:" not in name and "mode=memory" not in name
    return Path(name) if is_file else None


def tighten_installation() -> None:
    """Tighten what an earlier version, or another program, left open; one log line if there was anything."""
    if changed := tighten(settings.VAR, sqlite_file()):
        logger.warning(
            "%d paths in %s were open to other users; they are now private to this one", changed, settings.VAR
        )


@register(Tags.security)
def check_file_permissions(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """W030: files that other users can open. W031: files of another user than the folder's owner."""
    entries = list(find_entries(settings.VAR, sqlite_file()))
    found: list[CheckMessage] = []
    if exposed := [entry.path for entry in entries if entry.is_open]:
        found.append(
            Warning(
                f"Other users of this machine can open {_listed(exposed)}.",
                hint="Sessions, password hashes or the secret key may be in there. As root or their owner, "
                f"run `chmod -R go= {settings.VAR}` (the same for a SQLite file elsewhere).",
                id="shiolplus.W030",
            )
        )
    owner = _owner(settings.VAR)
    if foreign := [entry.path for entry in entries if entry.status.st_uid != owner]:
        found.append(
            Warning(
                f"Another user than the owner of {settings.VAR} owns {_listed(foreign)}.",
                hint=f"A command was run as that user, for example with sudo. Run `chown -R {owner} "
                f"{settings.VAR}` as root, and use `sudo -u` with the service's user instead.",
                id="shiolplus.W031",
            )
        )
    return found


def _owner(folder: Path) -> int:
    """Return the user id that the files should have: the folder's owner, or this user in a shared folder."""
    try:
        return os.geteuid() if is_shared(folder) else folder.stat().st_uid
    except OSError:  # it is gone, or in a folder that this user may not enter
        return os.geteuid()


def _listed(paths: list[Path]) -> str:
    more = len(paths) - SHOWN
    return ", ".join(map(str, paths[:SHOWN])) + (f" and {more} more" if more > 0 else "")
