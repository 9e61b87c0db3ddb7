"""Heartbeat files, in which the django-q2 clusters of this machine store their state.

django-q2 keeps these states in a Django cache. Django's file cache unpickles its files and raises on an
unreadable one, so that one file could break every monitoring page. Files here are JSON; an unreadable one
counts as "no heartbeat" and is reported by `heartbeat_faults`.
"""

import json
import os
import tempfile
import time
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from pwd import getpwuid
from shlex import quote
from typing import Any

from django.conf import settings
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

SUFFIX = ".heartbeat"
ABANDONED_AFTER = 24 * 3600  # seconds, after which the file of an ended cluster is deleted
NOTHING = object()


class HeartbeatError(Exception):
    """A file is not a readable heartbeat; `hint` is the command that repairs it."""

    def __init__(self, path: Path, reason: str, hint: str) -> None:
        super().__init__(f"{path} {reason}")
        self.path, self.reason, self.hint = path, reason, hint


@dataclass(frozen=True)
class HeartbeatFault:
    path: Path
    reason: str
    hint: str


class HeartbeatCache(BaseCache):
    """A cache of JSON files in one folder; `get` returns the default for an unreadable file."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.folder = Path(location)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        try:
            value = read_value(self._path(key, version))
        except HeartbeatError:  # reported by heartbeat_faults
            return default
        return default if value is NOTHING else value

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.folder)  # mode 0600
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump({"expires": self.get_backend_timeout(timeout), "value": value}, file)
                file.flush()
                written_at = os.fstat(descriptor).st_mtime
            os.replace(temporary, self._path(key, version))
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._delete_abandoned(written_at - ABANDONED_AFTER)

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        if self.get(key, NOTHING, version) is not NOTHING:
            return False
        self.set(key, value, timeout, version)
        return True

    def delete(self, key: str, version: int | None = None) -> bool:
        try:
            self._path(key, version).unlink()
        except OSError:
            return False
        return True

    def clear(self) -> None:
        for path in self.folder.glob(f"*{SUFFIX}"):
            path.unlink(missing_ok=True)

    def _path(self, key: str, version: int | None) -> Path:
        name = md5(self.make_key(key, version).encode(), usedforsecurity=False).hexdigest()
        return self.folder / f"{name}{SUFFIX}"

    def _delete_abandoned(self, oldest: float) -> None:
        """Delete the files last written before `oldest`, by the clock of the file system."""
        for path in self.folder.iterdir():
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
            except OSError:  # already deleted, or not permitted: heartbeat_faults reports it
                continue


def read_value(path: Path) -> Any:
    """Return the value in a file, NOTHING if it is missing or expired; raise HeartbeatError if unreadable."""
    try:
        content = json.loads(path.read_bytes())
        expires, value = content["expires"], content["value"]
        if not _is_state_or_keys(value):
            raise ValueError("neither a signed state nor a list of keys")
        return value if expires is None or expires > time.time() else NOTHING
    except FileNotFoundError:
        return NOTHING
    except PermissionError as error:
        raise HeartbeatError(
            path, f"belongs to {_owner(path)} and cannot be read", _repair_command(path)
        ) from error
    except OSError as error:
        raise HeartbeatError(path, f"cannot be read: {error.strerror}", _repair_command(path)) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise HeartbeatError(path, "is damaged", _repair_command(path)) from error


def _is_state_or_keys(value: Any) -> bool:
    texts = value if isinstance(value, list) else [value]
    return all(isinstance(text, str) for text in texts)


def heartbeat_faults() -> list[HeartbeatFault]:
    """Return the problems of the heartbeat files and of their folder."""
    folder = Path(settings.CACHES["queue"]["LOCATION"])
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return []  # no cluster has run yet
    except OSError as error:
        reason = f"belongs to {_owner(folder)} and cannot be listed: {error.strerror}"
        return [HeartbeatFault(folder, reason, _repair_command(folder))]
    return [fault for path in paths if (fault := _fault(path))]


def _fault(path: Path) -> HeartbeatFault | None:
    if path.suffix != SUFFIX and _is_harmless(path):
        return None
    try:
        read_value(path)
    except HeartbeatError as error:
        return HeartbeatFault(error.path, error.reason, error.hint)
    return _ownership_fault(path)


def _is_harmless(path: Path) -> bool:
    """Return True for a file being written, or a cache file of an earlier version."""
    if path.name.startswith("tmp"):
        return True
    try:
        with path.open("rb") as file:
            return file.read(1) == b"\x80"  # a pickle
    except OSError:
        return False


def _ownership_fault(path: Path) -> HeartbeatFault | None:
    """Return a fault if the file's owner neither runs this process nor owns the folder."""
    try:
        owner = path.stat().st_uid
        if owner in (os.geteuid(), path.parent.stat().st_uid):
            return None
    except OSError:  # deleted meanwhile
        return None
    return HeartbeatFault(path, f"belongs to {_owner(path)}", _repair_command(path))


def _owner(path: Path) -> str:
    try:
        uid = path.stat().st_uid
    except OSError:
        return "an unknown user"
    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _repair_command(path: Path) -> str:
    if path == Path(settings.CACHES["queue"]["LOCATION"]) and path.is_dir():
        return f"`sudo chown -R $(stat -c %U {quote(str(settings.VAR))}) {quote(str(path))}`"
    return f"`sudo rm -r {quote(str(path))}`; live clusters recreate theirs"
