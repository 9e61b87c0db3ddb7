"""What the README shows of the API is what a real server answers: commands are run, JSON is compared."""

import json
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from predictions.draws.sources import last_held, upcoming_draw
from predictions.modes.registry import MODE_NAMES
from tests.callers import Answer, ask
from tests.commands import call
from tests.factories import make_draw, make_prediction
from tests.processes import web_server
from tests.shiolplus.web.test_health import make_cluster
from tickets.generation.generator import BatchTicketGenerator

CURL = ArgumentParser(prog="curl", exit_on_error=False)
CURL.add_argument("url")
CURL.add_argument("-X", dest="method")
CURL.add_argument("-H", dest="headers", action="append", default=[])
CURL.add_argument("-d", dest="body")


def blocks() -> Iterator[tuple[list[list[str]], Any]]:
    """Each block of commands in the section, as words, and the JSON that follows it (None: none does)."""
    section = re.split(r"^## ", (settings.BASE_DIR / "README.md").read_text(), flags=re.MULTILINE)
    (text,) = [one for one in section if one.startswith("The API by example")]
    fenced = re.findall(r"```bash\n(.*?)```\n(?:```json\n(.*?)```)?", text, flags=re.DOTALL)
    for commands, answer in fenced:
        lines = commands.replace("\\\n", " ").splitlines()
        yield [shlex.split(line, comments=True) for line in lines], json.loads(answer) if answer else None


def run(words: list[str], port: int, key: str) -> Answer:
    """What the server answers to a curl command, sent to its port with this API key."""
    given = CURL.parse_args([word.replace("$KEY", key) for word in words[1:]])
    url = urlsplit(given.url)
    assert f"{url.scheme}://{url.netloc}" == "http://127.0.0.1:8000"
    headers = dict(header.split(": ", 1) for header in given.headers)
    path = url.path + f"?{url.query}" * bool(url.query)
    return ask(port, path, given.method or "GET", headers, given.body and json.loads(given.body))


def shape(value: Any) -> Any:
    """A value's keys and types, all the way down; of a list, those of its first entry."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return type(value).__name__


def make_world() -> None:
    """Tickets of every mode, one of two clusters, and the last draw's numbers."""
    for mode in MODE_NAMES:
        make_prediction(mode, upcoming_draw())
    BatchTicketGenerator(5, MODE_NAMES).generate_batch(async_mode=False)
    make_draw(last_held(upcoming_draw()))
    make_cluster()


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_each_command_is_answered_as_the_readme_shows(tmp_path: Path) -> None:
    make_world()
    key, compared = "", 0
    with web_server(tmp_path / "log", SHIOL_SALES_CUTOFF="22:59") as (_, port):
        for commands, shown in blocks():
            for words in commands:
                if words[:2] == ["python", "manage.py"]:
                    key = call(*words[2:])[0].splitlines()[0]
                    continue
                answer = run(words, port, key)
                assert answer.status in (200, 201), (words, answer.body)
            if shown is not None:
                assert shape(answer.body) == shape(shown), words
                compared += 1

    assert compared >= 5
