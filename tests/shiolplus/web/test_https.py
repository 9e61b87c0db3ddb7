"""SHIOL_HTTPS is on if a public name is served, and `check --deploy` reports insecure settings."""

import subprocess
from pathlib import Path

import pytest

from tests.tickets.management.test_start import manage

KEY = "long-enough-for-anybody-Jq3vTn8wXc2yLr6zBk5mHd9sFg4p-and-random"
PUBLIC = {"SHIOL_ALLOWED_HOSTS": "tickets.example,127.0.0.1", "SHIOL_TRUSTED_PROXIES": "127.0.0.1"}
SHOW = (
    "from django.conf import settings as s; print(s.SECURE_SSL_REDIRECT, s.SESSION_COOKIE_SECURE, "
    "s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS)"
)
ON, OFF = "True True True 31536000\n", "False False False 0\n"


def check_deploy(var: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    arguments = ("check", "--deploy", "--fail-level", "WARNING")
    return manage(var, *arguments, **{"SHIOL_SECRET_KEY": KEY} | environment)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"SHIOL_ALLOWED_HOSTS": "localhost"},
        PUBLIC,
        {"SHIOL_HTTPS": "on"} | PUBLIC,
        {"SHIOL_HTTPS": "on", "SHIOL_TRUSTED_PROXIES": "unix"},
    ],
)
def test_default_and_production_settings_pass_deploy_check(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = check_deploy(tmp_path, **environment)

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_public_host_without_https_is_a_warning(tmp_path: Path) -> None:
    done = check_deploy(tmp_path, SHIOL_HTTPS="off", **PUBLIC)

    assert done.returncode == 1
    assert all(f"security.{check}" in done.stderr for check in ("W004", "W008", "W010"))


def test_https_without_trusted_proxy_is_a_warning(tmp_path: Path) -> None:
    done = check_deploy(tmp_path, SHIOL_ALLOWED_HOSTS="tickets.example")

    assert done.returncode == 1
    assert "shiolplus.W020" in done.stderr
    assert "SHIOL_TRUSTED_PROXIES" in done.stderr


@pytest.mark.parametrize(
    ("environment", "output"),
    [
        ({}, OFF),
        ({"SHIOL_ALLOWED_HOSTS": "localhost,[::1]"}, OFF),
        ({"SHIOL_ALLOWED_HOSTS": "localhost,tickets.example"}, ON),
        ({"SHIOL_ALLOWED_HOSTS": "*"}, ON),
        ({"SHIOL_ALLOWED_HOSTS": "tickets.example", "SHIOL_HTTPS": "off"}, OFF),
        ({"SHIOL_HTTPS": "on"}, ON),
    ],
)
def test_https_is_on_unless_all_hosts_are_local(
    environment: dict[str, str], output: str, tmp_path: Path
) -> None:
    done = manage(tmp_path, "shell", "-v", "0", "-c", SHOW, **{"SHIOL_SECRET_KEY": KEY} | environment)

    assert done.stdout == output, done.stderr
