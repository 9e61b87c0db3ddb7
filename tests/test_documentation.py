"""Check README.md and docs/: commands parse, requests return what is shown, links and paths resolve."""

import ast
import importlib
import json
import re
import shlex
import sqlite3
import subprocess
import sys
import textwrap
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandParser
from django.urls import resolve
from django.utils import timezone

from predictions.draws.sources import last_drawn, upcoming_draw
from predictions.models import Draw
from predictions.modes.registry import MODE_NAMES
from tests.callers import Answer, ask
from tests.commands import call
from tests.factories import make_draw, make_prediction
from tests.processes import web_server
from tests.shiolplus.web.test_health import make_cluster
from tickets.generation.generator import BatchTicketGenerator
from tickets.monitoring.collector import take_snapshot
from tickets.monitoring.diagnostics import diagnose
from tickets.monitoring.serializers import serialize_status

ROOT = Path(settings.BASE_DIR)
DOCUMENTS = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))]
SHELLS = ("sh", "bash", "console")
EXAMPLE_DRAW = date(2026, 8, 19)  # the draw that the API guide requests
# Values for the placeholders of commands; add-a-mode.md adds a mode of its own.
PLACEHOLDERS = {"ID": "1", "NAME": "shop", "MODE": "v1", "D": "2026-08-19", "F": "draws.csv", "recent": "v1"}
PROJECT_PATH = re.compile(r"(?:shiolplus|predictions|tickets|tests|docs|\.ci)/[\w./-]*")
# Files of the written specification, and the file that add-a-mode.md creates.
MISSING_PATHS = {"tests/test_batch_generator.py", "predictions/modes/recent.py"}
DOTTED_NAME = re.compile(r"(?:shiolplus|predictions|tickets)(?:\.[A-Za-z_]\w+)+")
CHECK_ID = re.compile(r"shiolplus\.[EW][0-9]{3}")

CURL = ArgumentParser(prog="curl", exit_on_error=False)
CURL.add_argument("url")
CURL.add_argument("-X", dest="method")
CURL.add_argument("-H", dest="headers", action="append", default=[])
CURL.add_argument("-d", dest="body")
CURL.add_argument("-s", dest="silent", action="store_true")
CURL.add_argument("-o", dest="output")
CURL.add_argument("-w", dest="written")


@dataclass(frozen=True)
class Block:
    """A fenced code block; `response` is the JSON block that follows it directly, if any."""

    language: str
    text: str
    response: str | None

    @property
    def lines(self) -> list[str]:
        """Commands, with continued lines joined."""
        return [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]


FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```\n(?:\n*```json\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def read(document: str) -> str:
    return (ROOT / document).read_text()


def blocks(document: str, *languages: str) -> list[Block]:
    return [
        Block(language, textwrap.dedent(text), response or None)
        for _, language, text, response in FENCE.findall(read(document))
        if language in languages
    ]


def prose(document: str) -> str:
    """Return a document without its fenced blocks."""
    return re.sub(r"^( *)```.*?^\1```\n", "", read(document), flags=re.MULTILINE | re.DOTALL)


def inline_code(document: str) -> list[str]:
    spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", prose(document))
    return [" ".join(span.split()) for span in spans]


# Commands and make targets


def split_command(line: str) -> list[str]:
    """Return the words of a line, with the shell's operators as words of their own."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def management_arguments(line: str) -> list[str]:
    """Return the words after manage.py, up to the next operator of the shell."""
    words = split_command(line)
    places = [place for place, word in enumerate(words) if word.endswith("manage.py")]
    if not places:
        return []
    command = words[places[0] + 1 :]
    ends = [place for place, word in enumerate(command) if word.strip("();<>|&") == ""]
    return [PLACEHOLDERS.get(word, word) for word in command[: ends[0] if ends else None]]


def parser_of(name: str) -> CommandParser:
    return load_command_class(str(get_commands()[name]), name).create_parser("manage.py", name)


def management_lines() -> Iterator[Any]:
    for document in DOCUMENTS:
        for block in blocks(document, *SHELLS):
            for line in block.lines:
                if words := management_arguments(line):
                    yield pytest.param(words, id=f"{document}: {' '.join(words)}")


@pytest.mark.parametrize("words", list(management_lines()))
def test_each_management_command_parses(words: list[str]) -> None:
    name, *arguments = words

    assert name in get_commands()
    parser_of(name).parse_args(arguments)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_in_the_text_exist_with_their_flags(document: str) -> None:
    project = {name for name, app in get_commands().items() if str(app) in ("predictions", "tickets")}
    for span in inline_code(document):
        named = re.fullmatch(r"(?:\S*python )?manage\.py ([a-z_]+)(.*)", span)
        name, rest = named.groups() if named else (span.partition(" ")[0], span.partition(" ")[2])
        if not named and (name not in project or not rest.startswith("--")):
            continue
        assert name in get_commands(), span
        options = parser_of(name)._option_string_actions
        assert {word for word in rest.split() if word.startswith("--")} <= options.keys(), span


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_make_target_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
    targets |= {f"bench-{path.stem}" for path in ROOT.glob("tests/benchmarks/*.py")}
    commands = [split_command(line) for block in blocks(document, *SHELLS) for line in block.lines]
    commands += [span.split() for span in inline_code(document)]
    for words in commands:
        if words[0] == "make" and len(words) > 1:
            assert {word for word in words[1:] if "=" not in word} <= targets, words


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_shell_block_is_valid(document: str) -> None:
    for block in blocks(document, *SHELLS):
        checked = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
        assert not checked.stderr, block.text


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_import_of_the_python_blocks_resolves(document: str) -> None:
    for block in blocks(document, "python"):
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert all(hasattr(module, name.name) for name in node.names), ast.unparse(node)


def test_sqlite_backup_and_restore_keep_the_rows(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    folder.mkdir()
    (folder / "secret-key").write_text("key")
    with sqlite3.connect(folder / "db.sqlite3") as database:
        database.execute("CREATE TABLE draws AS SELECT 7 AS powerball")
    (backup,) = [
        block
        for block in blocks("docs/operations.md", *SHELLS)
        if "backup.sqlite3\n" in block.text and "source.backup" in block.text
    ]
    (restore,) = [
        block for block in blocks("docs/operations.md", *SHELLS) if "install -m 600 backup" in block.text
    ]

    script = backup.text.replace(".venv/bin/python", sys.executable)
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, check=True)
    database.execute("UPDATE draws SET powerball = 8")
    database.commit()
    database.close()
    subprocess.run(["bash", "-ec", restore.text], cwd=tmp_path, check=True)

    with sqlite3.connect(folder / "db.sqlite3") as restored:
        assert restored.execute("SELECT powerball FROM draws").fetchall() == [(7,)]
    assert (folder / "db.sqlite3").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "backup-secret-key").read_text() == "key"


# Requests


def run_curl(words: list[str], port: int, key: str) -> Answer:
    """Return the response to a curl command, sent to this port with this API key."""
    options = CURL.parse_args([word.replace("$KEY", key) for word in words[1:]])
    url = urlsplit(options.url)
    assert f"{url.scheme}://{url.netloc}" == "http://127.0.0.1:8000"
    headers = dict(header.split(": ", 1) for header in options.headers)
    path = url.path + f"?{url.query}" * bool(url.query)
    return ask(port, path, options.method or "GET", headers, options.body and json.loads(options.body))


def shape(value: Any) -> Any:
    """Return the keys and types of a JSON value; of a list, those of its first item."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


def create_installation() -> None:
    """Create tickets of every mode, one of the two clusters, and two draws."""
    for mode in MODE_NAMES:
        make_prediction(mode, upcoming_draw())
    BatchTicketGenerator(5, MODE_NAMES).generate_batch(async_mode=False)
    for day in {EXAMPLE_DRAW, last_drawn(upcoming_draw())}:
        make_draw(day)
    Draw.objects.update(multiplier=2)
    make_cluster()


@pytest.mark.django_db(transaction=True, reset_sequences=True)
@pytest.mark.parametrize(
    ("document", "responses"),
    [
        ("README.md", 2),
        ("docs/api-guide.md", 6),
        ("docs/operations.md", 1),
        ("docs/troubleshooting.md", 0),
        ("docs/tutorial.md", 0),
    ],
)
def test_each_request_returns_the_response_that_is_shown(
    document: str, responses: int, tmp_path: Path
) -> None:
    create_installation()
    key, compared = "", 0
    with web_server(tmp_path / "log", SHIOL_SALES_CUTOFF="22:59") as (_, port):
        for block in blocks(document, *SHELLS):
            shown = json.loads(block.response) if block.response else None
            for line in block.lines:
                if (words := management_arguments(line)) and words[0] == "create_api_key" and "KEY=" in line:
                    key = call(*words)[0].splitlines()[0]
                words = shlex.split(line, comments=True)
                if words[:1] != ["curl"]:
                    continue
                received = run_curl(words, port, key)
                expected = shown.get("status") if isinstance(shown, dict) else None
                allowed = [expected] if isinstance(expected, int) else [200, 201]
                assert received.status in allowed, (words, received.body)
            if shown is not None:
                assert shape(received.body) == shape(shown), words
                compared += 1

    assert compared == responses


def test_each_document_with_requests_is_run() -> None:
    requesting = {
        document
        for document in DOCUMENTS
        if any(line.startswith("curl ") for block in blocks(document, *SHELLS) for line in block.lines)
    }
    run = test_each_request_returns_the_response_that_is_shown.pytestmark  # type: ignore[attr-defined]
    (parameters,) = [mark.args[1] for mark in run if mark.name == "parametrize"]

    assert requesting == {document for document, _ in parameters}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_api_path_is_routed(document: str) -> None:
    for span in inline_code(document):
        if path := re.fullmatch(r"(?:[A-Z]+ )?(/api/[\w/{}.-]+)(?:\?.*)?", span):
            example = path[1].replace("{date}", "2026-08-19").replace("{id}", "1")
            assert resolve(example).url_name, span


# Links, paths and names


def heading_anchors(document: str) -> set[str]:
    """Return the anchors of a document's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(document), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", [*DOCUMENTS, "CHANGELOG.md"])
def test_each_link_resolves(document: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), link
        if anchor:
            assert anchor in heading_anchors(str(target.resolve().relative_to(ROOT))), link


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_path_and_dotted_name_exists(document: str) -> None:
    for span in inline_code(document):
        if PROJECT_PATH.fullmatch(span) and span not in MISSING_PATHS:
            assert (ROOT / span).exists(), span
        if DOTTED_NAME.fullmatch(span) and not CHECK_ID.fullmatch(span):
            assert find_object(span), span


def find_object(name: str) -> bool:
    """Return True if a dotted name is a module, or an attribute of one."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return bool(module) and hasattr(importlib.import_module(module), attribute)
    return True


def test_every_environment_variable_is_documented_and_exists() -> None:
    read_by_settings = set(re.findall(r'env\.\w+\(\s*"([A-Z0-9_]+)"', read("shiolplus/settings.py")))
    documented = set(inline_code("docs/configuration.md"))
    assert read_by_settings <= documented

    mentioned = {name for document in DOCUMENTS for name in re.findall(r"\bSHIOL_[A-Z0-9_]+", read(document))}
    tests = "".join(path.read_text() for path in ROOT.glob("tests/**/*.py") if path != Path(__file__))
    assert {name for name in mentioned - read_by_settings if name not in tests} == set()


@pytest.mark.django_db
def test_every_key_of_status_is_documented() -> None:
    snapshot = take_snapshot(timezone.now())
    _, _, section = read("docs/commands.md").partition("## Keys of `status --json`")
    rows = re.findall(r"^\| (`.*?) \|", section.partition("## ")[0], flags=re.MULTILINE)

    documented = {key for row in rows for key in re.findall(r"`(\w+)`", row)}

    assert documented == serialize_status(snapshot, diagnose(snapshot)).keys()


def test_every_system_check_is_documented() -> None:
    sources = [*ROOT.glob("tickets/*.py"), *ROOT.glob("shiolplus/**/*.py"), *ROOT.glob("predictions/**/*.py")]
    defined = {found for path in sources for found in CHECK_ID.findall(path.read_text())}

    assert defined == set(CHECK_ID.findall(read("docs/troubleshooting.md")))
