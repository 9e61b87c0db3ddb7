"""Tests of `manage.py init`, the secret key, and invalid values in the environment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings


def manage(var: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of a new installation, with its own var/ directory and no other settings."""
    prefixes = ("SHIOL_", "DATABASE_URL", "CACHE_URL")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=inherited | {"SHIOL_VAR": str(var)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_init_creates_a_key_readable_by_its_owner_only(tmp_path: Path) -> None:
    var = tmp_path / "new" / "var"

    done = manage(var, "init")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Initialized {var} with a new secret key.\n"
    key = var / "secret-key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_text()) >= 50
    assert (var / "models").is_dir()


def test_init_again_keeps_the_key(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("the existing key")

    done = manage(tmp_path, "init")

    assert (done.returncode, done.stdout) == (0, f"Initialized {tmp_path} with the existing secret key.\n")
    assert (tmp_path / "secret-key").read_text() == "the existing key"


def test_after_init_another_command_starts_with_the_key_in_the_file(tmp_path: Path) -> None:
    manage(tmp_path, "init", "-v", "0")

    done = manage(tmp_path, "check")

    assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n")


@pytest.mark.parametrize("command", ["cleanup_tickets", "migrate"])
def test_missing_key_error_says_how_to_create_one(command: str, tmp_path: Path) -> None:
    done = manage(tmp_path, command)

    assert done.returncode == 1
    assert "There is no secret key: run `python manage.py init`" in done.stderr
    assert str(tmp_path / "secret-key") in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("SHIOL_CLAIM_KEEP_DAYS", "0", "1"),
        ("SHIOL_CLAIM_KEEP_DAYS", "36501", "36500"),
        ("SHIOL_ANONYMOUS_RATE", "0", "1"),
        ("SHIOL_ANONYMOUS_RATE", "10000001", "10000000"),
        ("SHIOL_ANONYMOUS_RATE", "often", "integer"),
        ("SHIOL_SALES_CUTOFF", "23:00", "22:59"),
        ("SHIOL_SALES_CUTOFF", "24:00", "time"),
        ("SHIOL_SALES_CUTOFF", "evening", "time"),
        ("SHIOL_WORKERS", "zero", "integer"),
        ("SHIOL_WORKERS", "0", "1"),
        ("SHIOL_DRAWS_SOURCE", "mars", "ny, texas, bundled, none"),
        ("SHIOL_DEBUG", "perhaps", "boolean"),
        ("SHIOL_HTTPS", "perhaps", "boolean"),
        ("SHIOL_TRUSTED_PROXIES", "10.0.0.1,proxy.example", "addresses, networks and the word unix"),
        ("SHIOL_TRUSTED_PROXIES", "10.0.0.1/8", "host bits"),
        ("SHIOL_LOG_FORMAT", "xml", "console, json"),
        ("SHIOL_METRICS_FROM", "monitor.example", "addresses, networks and the word unix"),
        ("DATABASE_URL", "nonsense", "database URL"),
        ("SHIOL_DB_POOL", "101", "100"),
        ("CACHE_URL", "nonsense", "Unknown backend"),
        ("CACHE_URL", "redis://:secret@127.0.0.1:port/0", "Port"),
        ("CACHE_URL", "redis://:secret@127.0.0.1/first", "redis://[user:password@]host[:port]/number"),
        ("CACHE_URL", "redis:///0", "redis://[user:password@]host[:port]/number"),
    ],
)
def test_a_bad_value_in_the_environment_is_a_named_error(
    name: str, value: str, allowed: str, tmp_path: Path
) -> None:
    done = manage(tmp_path, "cleanup_tickets", **{"SHIOL_SECRET_KEY": "x", name: value})

    assert done.returncode == 1
    last_line = done.stderr.splitlines()[-1]
    assert "Invalid environment variable" in last_line
    assert name in last_line
    assert allowed in last_line
    assert "secret" not in last_line
    assert "Traceback" not in done.stderr


def test_sales_may_stay_open_until_the_draw_itself(tmp_path: Path) -> None:
    code = "from django.conf import settings; print(settings.SALES_CUTOFF)"

    done = manage(tmp_path, "shell", "-v", "0", "-c", code, SHIOL_SECRET_KEY="x", SHIOL_SALES_CUTOFF="22:59")

    assert (done.stdout, done.stderr) == ("22:59:00\n", "")


def test_uncreatable_var_folder_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = manage(tmp_path / "file" / "var", "init")

    assert done.returncode == 1
    assert "SHIOL_VAR: the folder" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    ["import_draws", "train_models", "run_pipeline", "backtest", "score_tickets", "cleanup_tickets"],
)
def test_a_database_without_tables_is_a_message_with_the_way_out(command: str, tmp_path: Path) -> None:
    manage(tmp_path, "init", "-v", "0")

    done = manage(tmp_path, command)

    assert done.returncode == 1
    assert "no such table" in done.stderr
    assert done.stderr.splitlines()[-1].endswith(
        "run `python manage.py migrate`; use --traceback for details."
    )
    assert "Traceback" not in done.stderr


def test_a_database_that_is_away_is_a_message(tmp_path: Path) -> None:
    unreachable = "postgres://shiol@127.0.0.1:9/none"

    done = manage(tmp_path, "score_tickets", SHIOL_SECRET_KEY="x", DATABASE_URL=unreachable)

    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (None, "is a directory"),
    ],
)
@pytest.mark.parametrize("command", ["check", "init"])
def test_a_key_file_that_cannot_be_used_is_one_line(
    content: bytes | None, problem: str, command: str, tmp_path: Path
) -> None:
    key = tmp_path / "secret-key"
    key.mkdir() if content is None else key.write_bytes(content)

    done = manage(tmp_path, command)

    assert done.returncode == 1
    assert f"{key} {problem}" in done.stderr
    assert "python manage.py init" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_a_key_file_of_another_user_is_one_line(tmp_path: Path) -> None:
    """As root without the capabilities that bypass file permissions."""
    manage(tmp_path, "init")
    key = tmp_path / "secret-key"
    os.chown(key, 65534, 65534)

    done = subprocess.run(
        ["setpriv", "--bounding-set=-dac_override,-dac_read_search", sys.executable, "manage.py", "check"],
        cwd=settings.BASE_DIR,
        env={"SHIOL_VAR": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert f"The secret key {key} cannot be read: Permission denied." in done.stderr
    assert done.stderr.count("\n") == 1
