"""Concurrent claims in threads and over real servers: none twice, quotas exact, none lost in a crash."""

import http.client
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone

from predictions.powerball import next_draw
from tests.callers import CLAIMS, Answer, ask, at_once
from tests.factories import make_client, make_key, make_prediction, some_tickets
from tests.processes import web_server
from tests.staff import superuser
from tickets.claims.allocation import ClaimRequest, QuotaExceeded, claim_tickets, get_quota
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import Claim, ClaimHour, PreGeneratedTicket, TicketBatch
from tickets.models.clients import ApiClient, QuotaUsage
from tickets.store import clear_old_batch_tickets, deletion, insert_batch_tickets, purge_batch

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 50  # concurrent callers
NUMBERS = ("n1", "n2", "n3", "n4", "n5", "powerball")


@pytest.fixture
def day() -> date:
    """Return a draw whose sales are open whenever the tests run."""
    return next_draw(timezone.now() + timedelta(days=3))


@pytest.fixture(scope="module")
def port(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start gunicorn with two workers of eight threads and return its port."""
    log = tmp_path_factory.mktemp("web") / "log"
    with web_server(log, "--workers", "2", "--threads", "8") as (_, port):
        yield port


def fast_client(name: str = "shop", **values: Any) -> ApiClient:
    return make_client(name, rate=1_000_000, **values)


def post(port: int, key: str, idempotency_key: str, day: date, count: int) -> Answer:
    """Claim tickets of v1 over HTTP."""
    headers = {"Authorization": f"Api-Key {key}", "Idempotency-Key": idempotency_key}
    return ask(port, CLAIMS, "POST", headers, {"mode": "v1", "count": count, "draw_date": str(day)})


def check_books() -> int:
    """Return the number of claimed tickets, on which claims, ticket rows, hours and quotas must agree."""
    marked = defaultdict(list)
    for claim_pk, *numbers in PreGeneratedTicket.objects.exclude(claim=None).values_list("claim", *NUMBERS):
        marked[claim_pk].append(numbers)
    claims = list(Claim.objects.all())
    for claim in claims:
        assert len(claim.numbers) == len(claim.ticket_details) == claim.count
        assert sorted(marked[claim.pk]) == sorted(claim.numbers)
    handed = Counter((claim.draw_date, *numbers) for claim in claims for numbers in claim.numbers)
    assert set(handed.values()) <= {1}
    total = sum(handed.values())
    hours = ClaimHour.objects.aggregate(claims=Sum("claims", default=0), tickets=Sum("tickets", default=0))
    assert hours == {"claims": len(claims), "tickets": total}
    used = Counter[int]()
    for claim in claims:
        used[claim.client_id] += claim.count
    assert dict(used) == dict(QuotaUsage.objects.filter(used__gt=0).values_list("client", "used"))
    for batch in TicketBatch.objects.all():
        assert batch.stored == batch.tickets.count()
    return total


# One client's quota


def test_fifty_threads_of_one_client_get_exactly_its_quota(day: date) -> None:
    client = fast_client(daily_quota=60)
    insert_batch_tickets(some_tickets(200), "v1", draw_date=day)

    def claim(number: int) -> str:
        try:
            claim_tickets(client, ClaimRequest("v1", 3, day), f"key-{number}")
        except QuotaExceeded:
            return "spent"
        return "granted"

    outcomes = Counter(at_once(MANY, claim, range(MANY)))

    assert outcomes == {"granted": 20, "spent": 30}
    assert check_books() == get_quota(client).used == 60
    assert get_quota(client).remaining == 0


def test_fifty_callers_of_a_server_get_exactly_their_clients_quota(port: int, day: date) -> None:
    client = fast_client(daily_quota=64)  # twelve claims of five; four are left
    key = make_key(client)
    insert_batch_tickets(some_tickets(400), "v1", draw_date=day)

    responses = at_once(MANY, lambda number: post(port, key, f"key-{number}", day, 5), range(MANY))

    assert Counter(response.status for response in responses) == {201: 12, 429: 38}
    assert check_books() == get_quota(client).used == 60
    assert all(int(response.headers["Retry-After"]) > 60 for response in responses if response.status == 429)
    assert post(port, key, "the-rest", day, 4).status == 201
    assert get_quota(client).remaining == 0


# Many clients, one stock


def test_sixteen_clients_share_a_stock_without_duplicates(port: int, day: date) -> None:
    keys = [make_key(fast_client(f"client-{number}")) for number in range(16)]
    insert_batch_tickets(some_tickets(300), "v1", draw_date=day)
    insert_batch_tickets(some_tickets(50, powerball=2), "v2", draw_date=day)

    def claim(number: int) -> Answer:
        return post(port, keys[number % 16], f"key-{number}", day, 5)

    responses = at_once(16, claim, range(16 * 5))

    assert Counter(response.status for response in responses) == {201: 60, 409: 20}
    assert check_books() == 300
    given = [
        str(ticket) for response in responses if response.status == 201 for ticket in response.body["tickets"]
    ]
    assert len(set(given)) == 300
    short = [response.body["detail"] for response in responses if response.status == 409]
    assert set(short) == {f"Tickets of v1 available for {day}: 0; requested: 5."}
    assert ClaimHour.objects.aggregate(total=Sum("refused")) == {"total": 20}
    assert not PreGeneratedTicket.objects.filter(mode="v2").exclude(claim=None).exists()


# Concurrent repeats of a request


def test_the_same_key_from_sixteen_threads_is_one_claim(day: date) -> None:
    client = fast_client(daily_quota=5)
    insert_batch_tickets(some_tickets(100), "v1", draw_date=day)

    made = at_once(16, lambda _: claim_tickets(client, ClaimRequest("v1", 5, day), "one"), range(16))

    assert [is_new for _, is_new in made].count(True) == 1
    assert {claim.pk for claim, _ in made} == {Claim.objects.get().pk}
    assert len({str(claim.numbers) for claim, _ in made}) == 1
    assert check_books() == 5


def test_same_idempotency_key_over_sixteen_connections_is_one_claim(port: int, day: date) -> None:
    key = make_key(fast_client(daily_quota=5))
    insert_batch_tickets(some_tickets(100), "v1", draw_date=day)

    responses = at_once(16, lambda _: post(port, key, "one", day, 5), range(16))

    assert {response.status for response in responses} == {201}
    assert len({str(response.body) for response in responses}) == 1
    assert [response.headers.get("Idempotency-Replayed") for response in responses].count("true") == 15
    assert check_books() == 5


# Server crashes


@pytest.mark.parametrize(
    ("when", "taken"), [("before the commit", 0), ("after the commit", 5)], ids=["before", "after"]
)
def test_claim_interrupted_by_a_crash_is_created_once_when_repeated(
    when: str, taken: int, port: int, day: date, tmp_path: Path
) -> None:
    client = fast_client(daily_quota=5)
    key = make_key(client)
    insert_batch_tickets(some_tickets(20), "v1", draw_date=day)
    dying = {"DJANGO_SETTINGS_MODULE": "tests.dying", "SHIOL_TESTS_DIES": when}

    with web_server(tmp_path / "log", **dying) as (_, dying_port):
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            post(dying_port, key, "one", day, 5)
        assert check_books() == get_quota(client).used == taken
    before = list(Claim.objects.values_list("pk", flat=True))
    again = post(port, key, "one", day, 5)

    assert again.status == 201
    assert again.headers.get("Idempotency-Replayed") == ("true" if taken else None)
    assert check_books() == get_quota(client).used == 5
    assert [again.body["id"]] == before or not taken


# Concurrent deletion and insertion


def test_claims_during_generation_cleanup_and_purge_lose_nothing(
    day: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "DELETE_CHUNK", 40)
    clients = [fast_client(f"client-{number}", daily_quota=1_000_000) for number in range(6)]
    make_prediction("v1", day)
    for number in (1, 2):  # old tickets: claimed first, cleaned up and purged
        insert_batch_tickets(some_tickets(1500, powerball=number), "v1", f"old-{number}", day)
    PreGeneratedTicket.objects.update(created_at=F("created_at") - timedelta(days=400))
    insert_batch_tickets(some_tickets(1500, powerball=3), "v1", "new", day)
    old = TicketBatch.objects.select_related("run").get(run__pipeline_run_id="old-1")

    def claim(client: ApiClient) -> int:
        for number in range(60):
            claim_tickets(client, ClaimRequest("v1", 3, day), f"key-{number}")
        return 180

    def generate() -> int:
        generator = BatchTicketGenerator(12_000, ["v1"], auto_cleanup=False)
        made: int = generator.generate_batch(async_mode=False, draw_date=day)["tickets_generated"]
        return made

    changes: list[Callable[[], int]] = [
        generate,
        lambda: purge_batch(old),
        lambda: clear_old_batch_tickets(1),
    ]
    generated, purged, cleaned, *claimed = at_once(
        9, lambda job: job(), [*changes, *(partial(claim, client) for client in clients)]
    )

    assert generated == 12_000
    assert purged + cleaned > 0  # claims, purge and cleanup compete for the same tickets
    of_old = PreGeneratedTicket.objects.filter(pipeline_run_id__startswith="old").exclude(claim=None).count()
    assert of_old == 3000 - purged - cleaned > 0
    assert check_books() == sum(claimed) == 1080
    assert PreGeneratedTicket.objects.count() == 3 * 1500 + generated - purged - cleaned


def test_deleting_a_client_waits_for_its_running_claim(day: date) -> None:
    client, admin, made = fast_client(), superuser(), threading.Event()
    insert_batch_tickets(some_tickets(20), "v1", draw_date=day)

    def claim() -> None:
        with transaction.atomic():
            claim_tickets(client, ClaimRequest("v1", 5, day), "one")
            made.set()
            time.sleep(1)  # the deletion is waiting for the uncommitted claim

    def delete() -> Any:
        assert made.wait(10)
        return admin.post(f"/admin/tickets/apiclient/{client.pk}/delete/", {"post": "yes"}, follow=True)

    _, page = at_once(2, lambda job: job(), [claim, delete])

    assert "Client shop has claims" in page.content.decode()
    assert check_books() == 5


def test_client_deleted_during_a_claim_is_gone_or_keeps_its_tickets(day: date) -> None:
    admin = superuser()
    insert_batch_tickets(some_tickets(200), "v1", draw_date=day)

    def claim(client: ApiClient, number: int) -> str:
        try:
            claim_tickets(client, ClaimRequest("v1", 2, day), f"key-{number}")
        except ApiClient.DoesNotExist:
            return "gone"
        return "claimed"

    for number in range(6):
        client = fast_client(f"client-{number}")
        address = f"/admin/tickets/apiclient/{client.pk}/delete/"
        delete = partial(admin.post, address, {"post": "yes"})
        claims = [partial(claim, client, number) for number in range(4)]
        jobs = [delete, *claims] if number % 2 else [*claims, delete]

        outcomes = at_once(5, lambda job: job(), jobs)

        deleted = outcomes.pop(jobs.index(delete))
        assert deleted.status_code in (200, 302)  # 200 if a claim arrived after Django's own check
        if ApiClient.objects.filter(pk=client.pk).exists():
            assert set(outcomes) == {"claimed"}
        else:
            assert set(outcomes) == {"gone"}
    check_books()
