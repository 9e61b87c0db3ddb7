"""Damaged, foreign and unreadable heartbeat files count as no heartbeat and break no page."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.conf import settings as project
from django.core.cache import caches
from django_q.conf import Conf

from predictions.workqueue import clusters
from predictions.workqueue.heartbeats import heartbeat_faults
from tests.commands import call
from tests.staff import superuser

NOBODY = 65534
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
DAMAGE = {
    "random bytes": os.urandom(200),
    "nothing": b"",
    "another shape": b"[1, 2]",
    "another value": b'{"expires": null, "value": 5}',
    "deep nesting": b"[" * 100_000,
    "no UTF-8": b"\xff\xfe\x00",
}


@pytest.fixture
def folder(tmp_path: Path, settings: LazySettings) -> Path:
    """Return an empty heartbeat folder for caches["queue"]."""
    location = tmp_path / "queue-status"
    settings.CACHES = settings.CACHES | {
        "queue": settings.CACHES["queue"] | {"LOCATION": str(location)},
    }
    return location


def index_file(folder: Path) -> Path:
    """Create and return the file that lists the clusters."""
    caches["queue"].set(Conf.Q_STAT, [], None)
    return next(folder.iterdir())


def test_a_value_lasts_until_it_expires(folder: Path) -> None:
    cache = caches["queue"]
    cache.set("key", "signed", 0.05)
    assert cache.get("key") == "signed"
    assert not cache.add("key", "other")
    time.sleep(0.06)

    assert cache.get("key") is None
    assert cache.add("key", "other")
    assert cache.delete("key")
    assert not cache.delete("key")


def test_files_and_their_folder_are_private(folder: Path) -> None:
    path = index_file(folder)

    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_files_of_clusters_that_ended_long_ago_are_deleted(folder: Path) -> None:
    old = index_file(folder)
    os.utime(old, (1, 1))
    caches["queue"].set("key", "signed", 3)

    assert not old.exists()


def test_the_files_of_a_healthy_installation_have_no_fault(folder: Path) -> None:
    assert heartbeat_faults() == []
    path = index_file(folder)
    path.with_name("tmp1234").write_bytes(b"half a fi")  # being written
    path.with_name("1.djcache").write_bytes(b"\x80\x05of an earlier version")

    assert heartbeat_faults() == []


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_file_is_no_heartbeat_and_is_named(content: bytes, folder: Path) -> None:
    path = index_file(folder)
    path.write_bytes(content)

    assert clusters.started_by_hand() == []
    [fault] = heartbeat_faults()
    assert (fault.path, fault.reason) == (path, "is damaged")
    assert fault.hint == f"`sudo rm -r {path}`; live clusters recreate theirs"


def test_a_folder_in_place_of_a_file_is_no_heartbeat(folder: Path) -> None:
    path = index_file(folder)
    path.unlink()
    path.mkdir()

    assert clusters.started_by_hand() == []
    assert [fault.reason for fault in heartbeat_faults()] == ["cannot be read: Is a directory"]


def test_a_file_in_place_of_the_folder_is_named(folder: Path) -> None:
    folder.write_text("")

    assert clusters.started_by_hand() == []
    assert [fault.path for fault in heartbeat_faults()] == [folder]


@pytest.mark.parametrize("keys", [["missing"], [""], ["a key with spaces"]])
def test_keys_without_a_state_are_no_heartbeats(keys: list[str], folder: Path) -> None:
    caches["queue"].set(Conf.Q_STAT, keys, None)
    caches["queue"].set("a key with spaces", "signed with another key", None)

    assert clusters.started_by_hand() == []


@pytest.mark.django_db
def test_reading_heartbeats_writes_nothing(folder: Path) -> None:
    index_file(folder)
    (before,) = (path.stat() for path in folder.iterdir())
    with pytest.raises(SystemExit):
        call("status")

    (after,) = (path.stat() for path in folder.iterdir())
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/admin/dashboard/", "/admin/predictions/cluster/"])
def test_no_page_fails_by_a_damaged_heartbeat(path: str, folder: Path) -> None:
    index_file(folder).write_bytes(DAMAGE["random bytes"])

    assert superuser().get(path).status_code == 200


@AS_ROOT
def test_a_file_of_root_is_unreadable_to_the_service_user_and_named(folder: Path) -> None:
    """`sudo manage.py status` used to leave a file of root, mode 0600, in the service's folder."""
    path = index_file(folder)
    os.chown(folder, NOBODY, NOBODY)
    with _as_nobody(folder):
        assert clusters.started_by_hand() == []
        assert [fault.reason for fault in heartbeat_faults()] == ["belongs to root and cannot be read"]

        caches["queue"].set(Conf.Q_STAT, [], None)  # as the service's own cluster does

        assert heartbeat_faults() == []
        assert caches["queue"].get(Conf.Q_STAT) == []
    assert path.owner() == "nobody"


@AS_ROOT
def test_folder_of_another_user_is_reported_with_the_repair_command(folder: Path) -> None:
    index_file(folder)
    with _as_nobody(folder):
        assert clusters.started_by_hand() == []
        [fault] = heartbeat_faults()

    assert fault.reason == "belongs to root and cannot be listed: Permission denied"
    assert fault.hint == f"`sudo chown -R $(stat -c %U {project.VAR}) {folder}`"


@contextmanager
def _as_nobody(folder: Path) -> Iterator[None]:
    """Act as the user nobody, who may traverse the folder's parents."""
    modes = {parent: parent.stat().st_mode for parent in list(folder.parents)[:4]}
    for parent, mode in modes.items():
        parent.chmod(mode | 0o011)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        for parent, mode in modes.items():
            parent.chmod(mode)


@AS_ROOT
def test_a_readable_file_of_a_third_user_is_named(folder: Path) -> None:
    path = index_file(folder)
    os.chown(path, NOBODY, NOBODY)

    assert [fault.reason for fault in heartbeat_faults()] == ["belongs to nobody"]
