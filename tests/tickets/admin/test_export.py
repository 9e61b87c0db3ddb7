"""Exports of admin lists: streamed, complete and filtered."""

import csv
import http.client
import io
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shiolplus.adminsite import export
from shiolplus.adminsite.export import csv_cell
from tests.factories import WEDNESDAY, claim_tickets, make_client, make_draw, make_key, some_tickets, ticket
from tests.processes import web_server
from tests.staff import client_of, heard_of, staff_who_may, superuser
from tickets.models import Claim, PreGeneratedTicket, TicketBatch
from tickets.store import insert_batch_tickets
from tickets.store.retrieval import isoformat_utc

pytestmark = pytest.mark.django_db

TICKETS = "/admin/tickets/pregeneratedticket/"
BATCHES = "/admin/tickets/ticketbatch/"
CLAIMS = "/admin/tickets/claim/"
DRAWS = "/admin/predictions/draw/"
SATURDAY = date(2026, 11, 28)


@pytest.fixture
def tickets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store 50 tickets of v1 and 10 of v2 with gaps between their ids, read in chunks of 7."""
    monkeypatch.setattr(export, "CHUNK_ROWS", 7)
    insert_batch_tickets(some_tickets(50), "v1", "run-1", WEDNESDAY)
    insert_batch_tickets(some_tickets(10), "v2", "run-2", SATURDAY)
    keys = PreGeneratedTicket.objects.order_by("id").values_list("pk", flat=True)
    PreGeneratedTicket.objects.filter(pk__in=keys[20:40]).delete()
    TicketBatch.objects.filter(mode="v1").update(stored=30)


def streamed(client: Client, page: str, form: str = "jsonl", query: str = "") -> str:
    response: Any = client.post(f"{page}export/?{query}", {"format": form})
    assert (response.status_code, response.streaming) == (200, True)
    return b"".join(response.streaming_content).decode()


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def as_exported(one: PreGeneratedTicket) -> dict[str, Any]:
    return {
        "id": one.pk,
        "mode": one.mode,
        "draw_date": str(one.draw_date),
        "white_balls": one.white_balls,
        "powerball": one.powerball,
        "confidence": one.confidence_score,
        "strategy": one.strategy_used,
        "batch": one.batch_id,
        "claim": one.claim_id,
        "pipeline_run_id": one.pipeline_run_id,
        "created_at": isoformat_utc(one.created_at),
    }


# Rows


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize("cut_off", [True, False])
@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("", {}),
        ("mode__exact=v1", {"mode": "v1"}),
        ("draw_date=2026-11-28&p=9", {"draw_date": SATURDAY}),
        ("q=1+2+3&mode__exact=v1", {"mode": "v1", "n1": 1, "n2": 2, "n3": 3}),
        ("mode__exact=lstm", {"mode": "lstm"}),
    ],
)
def test_all_filtered_rows_are_exported_oldest_first(
    query: str, filters: dict[str, Any], cut_off: bool, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cut_off:  # then the keys are not known before
        monkeypatch.setattr("tickets.admin.tickets.RESULT_LIMIT", 5)
        monkeypatch.setattr("tickets.admin.tickets.NUMBER_RESULT_LIMIT", 5)
    expected = [as_exported(ticket) for ticket in PreGeneratedTicket.objects.filter(**filters).order_by("id")]

    assert lines(streamed(admin, TICKETS, query=query)) == expected
    table = list(csv.DictReader(io.StringIO(streamed(admin, TICKETS, "csv", query), newline="")))
    assert [int(row["id"]) for row in table] == [exported["id"] for exported in expected]
    for row, one in zip(table, expected, strict=True):
        assert [int(row[f"n{place}"]) for place in range(1, 6)] == one["white_balls"]
        assert (float(row["confidence"]), row["claim"], row["created_at"]) == (0.5, "", one["created_at"])


@pytest.mark.usefixtures("tickets")
def test_each_query_is_of_few_rows_and_what_is_stored_meanwhile_is_left_out(admin: Client) -> None:
    response: Any = admin.post(f"{TICKETS}export/", {"format": "jsonl"})
    first = next(response.streaming_content)
    insert_batch_tickets(some_tickets(30, powerball=9), "v2", "run-3", WEDNESDAY)

    with CaptureQueriesContext(connection) as queries:
        rest = b"".join(response.streaming_content)

    assert len(lines((first + rest).decode())) == 40
    assert len(queries) > 8


@pytest.mark.usefixtures("on_tuesday")
def test_a_batch_a_draw_and_a_claim_have_the_names_of_the_api(admin: Client) -> None:
    insert_batch_tickets([ticket(5, 12, 33, 41, 60, 7), ticket(1, 2, 3, 4, 5, 6)], "v1", "run-1", WEDNESDAY)
    claim = claim_tickets(TicketBatch.objects.get(), 2)
    make_draw()

    (batch,), (draw,), (given,) = (lines(streamed(admin, page)) for page in (BATCHES, DRAWS, CLAIMS))

    assert (batch["pipeline_run_id"], batch["mode"], batch["stored"]) == ("run-1", "v1", 2)
    assert draw == {
        "draw_date": "2026-11-25",
        "white_balls": [5, 12, 33, 41, 60],
        "powerball": 7,
        "multiplier": None,
        "source": "test",
    }
    assert given["client"] == "shop"
    assert given["tickets"] == [
        {"white_balls": [5, 12, 33, 41, 60], "powerball": 7},
        {"white_balls": [1, 2, 3, 4, 5], "powerball": 6},
    ]
    assert claim.idempotency_key not in streamed(admin, CLAIMS)
    assert "5 12 33 41 60 +7; 1 2 3 4 5 +6" in streamed(admin, CLAIMS, "csv")
    assert "2026-11-25,5,12,33,41,60,7,,test\r\n" in streamed(admin, DRAWS, "csv")


def test_no_sheet_computes_a_text_and_json_is_exact(admin: Client) -> None:
    client = make_client('=HYPERLINK("//evil")')
    Claim.objects.create(client=client, idempotency_key="k", mode="v1", count=1, draw_date=WEDNESDAY)

    (row,) = csv.DictReader(io.StringIO(streamed(admin, CLAIMS, "csv")))
    assert row["client"] == '\'=HYPERLINK("//evil")'
    assert lines(streamed(admin, CLAIMS))[0]["client"] == client.name
    assert [csv_cell(value) for value in ("+1", "-1", "@a", "\tb", "\rc", "a=b", -1, -0.5, None)] == [
        *("'+1", "'-1", "'@a", "'\tb", "'\rc", "a=b", -1, -0.5, None),
    ]


# The page


@pytest.mark.usefixtures("tickets")
def test_export_page_shows_row_count_filters_and_columns(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    button = 'href="/admin/tickets/pregeneratedticket/export/?mode__exact=v1"'
    assert button in admin.get(f"{TICKETS}?mode__exact=v1&p=1").content.decode()

    page = admin.get(f"{TICKETS}export/?mode__exact=v1")
    assert "30 tickets, filtered by mode v1, oldest first." in heard_of(page)
    assert "Columns: id, mode, draw_date, n1, n2, n3, n4, n5, powerball, confidence" in heard_of(page)
    assert f'href="{TICKETS}?mode__exact=v1"' in page.content.decode()
    assert "40 tickets, unfiltered" in heard_of(admin.get(f"{TICKETS}export/"))
    monkeypatch.setattr("tickets.admin.tickets.RESULT_LIMIT", 5)
    assert "More than 4 tickets, filtered by mode v1" in heard_of(
        admin.get(f"{TICKETS}export/?mode__exact=v1")
    )


@pytest.mark.usefixtures("tickets")
def test_an_export_is_logged_and_its_file_dated(admin: Client) -> None:
    response = admin.post(f"{TICKETS}export/?mode__exact=v1", {"format": "csv"})

    assert re.fullmatch(
        r'attachment; filename="tickets-\d{4}-\d\d-\d\d\.csv"', response["Content-Disposition"]
    )
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert LogEntry.objects.get().get_change_message() == "Exported 30 tickets as CSV (mode v1)."
    assert admin.get("/admin/").status_code == 200


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize("query", ["draw_date=soon", "nonsense=1", "created_at__gte=soon"])
def test_a_bad_filter_is_a_message_and_exports_nothing(query: str, admin: Client) -> None:
    for response in (
        admin.get(f"{TICKETS}export/?{query}", follow=True),
        admin.post(f"{TICKETS}export/?{query}", {"format": "csv"}, follow=True),
    ):
        assert response.status_code == 200
        assert "Nothing was exported: the URL has a filter" in heard_of(response)
    assert not LogEntry.objects.exists()


def test_an_unknown_format_is_an_error_that_names_the_known(admin: Client) -> None:
    page = heard_of(admin.post(f"{DRAWS}export/", {"format": "xlsx"}))

    assert "Format: xlsx is not one; allowed are csv, jsonl." in page


@pytest.mark.parametrize("page", [TICKETS, BATCHES, CLAIMS, DRAWS])
def test_export_needs_view_permission(page: str) -> None:
    assert staff_who_may().post(f"{page}export/", {"format": "csv"}).status_code == 200
    stranger = client_of("stranger")
    assert stranger.get(f"{page}export/").status_code == 403
    assert stranger.post(f"{page}export/", {"format": "csv"}).status_code == 403
    assert not LogEntry.objects.exclude(user__username="staff").exists()


# Through a real server


@pytest.mark.django_db(transaction=True)
def test_a_real_server_streams_every_row_of_the_table(tmp_path: Path) -> None:
    insert_batch_tickets(some_tickets(12_000), "v1", "run-1", WEDNESDAY)
    key = make_key(make_client("other"))
    admin = superuser()
    token = re.search(
        'name="csrfmiddlewaretoken" value="(.+?)"', admin.get(f"{TICKETS}export/").content.decode()
    )
    assert token is not None
    cookies = "; ".join(f"{name}={one.value}" for name, one in admin.cookies.items())
    form = f"format=jsonl&csrfmiddlewaretoken={token[1]}"

    with web_server(tmp_path / "web.log") as (_, port):
        server = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        kind = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
        server.request("POST", f"{TICKETS}export/?mode__exact=v1", form, kind)
        response = server.getresponse()
        body = response.read().decode()

    assert (response.status, response.getheader("Transfer-Encoding")) == (200, "chunked")
    assert lines(body) == [as_exported(ticket) for ticket in PreGeneratedTicket.objects.order_by("id")]
    assert key not in body
    assert User.objects.get().logentry_set.count() == 1
