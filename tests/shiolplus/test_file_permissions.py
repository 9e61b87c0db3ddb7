"""Files in var/ are private to their user, whatever umask the processes inherit."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import CheckMessage

from shiolplus import file_permissions
from tests.tickets.management.test_start import manage

LINE = "Removed the permissions of other users from"


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Set the umask of a login shell, which child processes inherit."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(var: Path) -> dict[str, int]:
    """Return the mode of the folder and of each path in it."""
    paths = [var, *var.rglob("*")]
    return {str(path.relative_to(var)): stat.S_IMODE(path.lstat().st_mode) for path in paths}


def assert_private(var: Path) -> None:
    wrong = {
        name: oct(mode)
        for name, mode in modes(var).items()
        if mode != (0o700 if (var / name).is_dir() else 0o600)
    }
    assert not wrong


def open_up(var: Path) -> None:
    """Set the permissions that an earlier release left."""
    for path in [var, *var.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def run(var: Path, *arguments: str, **environment: str) -> None:
    done = manage(var, *arguments, **environment)
    assert done.returncode == 0, done.stderr


def warnings_with(identifier: str) -> list[CheckMessage]:
    messages = file_permissions.check_file_permissions(None)
    assert all(message.hint for message in messages)
    return [message for message in messages if message.id == f"shiolplus.{identifier}"]


def test_files_created_by_commands_are_private(tmp_path: Path) -> None:
    var = tmp_path / "new" / "var"
    run(var, "init")
    run(var, "migrate")
    run(var, "import_draws")
    run(var, "run_pipeline", "--source", "none", "--modes", "v1", "random_forest", "--sync")
    run(var, "generate_batch", "--modes", "v1", "--batch-size", "5", "--sync")

    assert_private(var)
    names = set(modes(var))
    assert {"secret-key", "db.sqlite3", "logs/shiol.log"} <= names
    assert any(name.startswith("models/") for name in names)


def test_wal_of_open_database_is_private(tmp_path: Path) -> None:
    run(tmp_path, "init")
    code = (
        "import django; django.setup(); from django.core.management import call_command as c; import os;"
        "c('migrate', verbosity=0); from django.conf import settings;"
        "print(*sorted(oct(p.stat().st_mode & 0o777) for p in settings.VAR.glob('db.sqlite3*')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={**os.environ, "SHIOL_VAR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["0o600"] * 3, done.stderr


def test_existing_files_are_made_private_at_start(tmp_path: Path) -> None:
    run(tmp_path, "init")
    run(tmp_path, "migrate")
    (tmp_path / "models" / "old.json").write_text("{}")
    open_up(tmp_path)
    many = len(modes(tmp_path))

    done = manage(tmp_path, "status", "--json")

    assert done.stderr.count(LINE) == 1
    assert f"{LINE} {many} paths in {tmp_path}" in done.stderr
    assert LINE not in manage(tmp_path, "status", "--json").stderr
    assert_private(tmp_path)


def test_database_elsewhere_is_made_private_without_its_folder(tmp_path: Path) -> None:
    var, elsewhere = tmp_path / "var", tmp_path / "data"
    elsewhere.mkdir()
    url = f"sqlite:///{elsewhere / 'shiol.sqlite3'}"
    run(var, "init")
    run(var, "migrate", DATABASE_URL=url)
    open_up(elsewhere)
    (elsewhere / "shiol.sqlite3-wal").touch(0o644)
    (elsewhere / "another").touch(0o644)

    run(var, "check", DATABASE_URL=url)

    assert modes(elsewhere)["."] == 0o755
    assert modes(elsewhere)["another"] == 0o644
    files = {name: mode for name, mode in modes(elsewhere).items() if name.startswith("shiol.sqlite3")}
    assert set(files.values()) == {0o600}


def test_shared_folder_is_unchanged_except_for_own_files(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "others").mkdir(0o755)
    (tmp_path / "models").mkdir(0o755)

    assert file_permissions.tighten(tmp_path) == 1
    assert modes(tmp_path) == {".": 0o1777, "others": 0o755, "models": 0o700}


def test_target_of_symlink_is_unchanged(tmp_path: Path) -> None:
    var, target = tmp_path / "var", tmp_path / "target"
    var.mkdir(0o700)
    target.touch(0o644)
    (var / "link").symlink_to(target)

    assert file_permissions.tighten(var) == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_check_lists_files_readable_by_others(tmp_path: Path, settings: Any) -> None:
    settings.VAR = tmp_path
    tmp_path.chmod(0o700)
    assert not warnings_with("W030")

    (tmp_path / "secret-key").touch(0o640)
    (tmp_path / "closed").touch(0o600)

    (warning,) = warnings_with("W030")
    assert warning.msg == f"Other users of this machine can access {tmp_path / 'secret-key'}."


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_file_of_another_user_is_a_warning(tmp_path: Path, settings: Any) -> None:
    """Run as another user, who cannot change root's files."""
    tmp_path.chmod(0o700)
    foreign = tmp_path / "heartbeat"
    foreign.touch(0o644)
    os.chown(tmp_path, 65534, 65534)
    settings.VAR = tmp_path
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)

    child = os.fork()
    if not child:
        os.setuid(65534)
        os._exit(file_permissions.tighten(tmp_path))  # exit with the number of changed paths
    changed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert changed == 0
    (open_file,), (owned,) = warnings_with("W030"), warnings_with("W031")
    assert str(foreign) in open_file.msg
    assert str(foreign) in owned.msg
    assert "chown -R 65534" in str(owned.hint)
