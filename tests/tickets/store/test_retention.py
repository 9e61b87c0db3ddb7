"""apply_retention: tickets are kept as long as the policy of their mode says."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django_q.models import OrmQ

from tests.factories import WEDNESDAY, some_tickets
from tickets.models import PreGeneratedTicket, TicketBatch
from tickets.models.policies import ModePolicy
from tickets.store import deletion, insert_batch_tickets
from tickets.store.retention import apply_retention
from tickets.tasks import clean_up_tickets

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOTHING = dict.fromkeys(("random_forest", "lstm", "v1", "v2", "hybrid"), 0)


def stocked(mode: str, count: int, age: timedelta, powerball: int) -> None:
    with time_machine.travel(NOW - age, tick=False):
        insert_batch_tickets(some_tickets(count, powerball), mode, f"run-{powerball}", draw_date=WEDNESDAY)


@time_machine.travel(NOW, tick=False)
def test_retention_follows_each_modes_policy() -> None:
    ModePolicy.objects.filter(mode="v1").update(keep_days=2)
    ModePolicy.objects.filter(mode="v2").delete()
    days, second = timedelta(days=1), timedelta(seconds=1)
    stocked("v1", 3, 2 * days + second, 1)
    stocked("v1", 2, 2 * days - second, 2)
    stocked("v2", 4, 7 * days + second, 3)
    stocked("v2", 5, 7 * days - second, 4)

    assert clean_up_tickets() == NOTHING | {"v1": 3, "v2": 4}

    assert PreGeneratedTicket.objects.count() == 7
    assert [batch.stored for batch in TicketBatch.objects.order_by("id")] == [0, 2, 0, 5]
    assert clean_up_tickets() == NOTHING
    assert not OrmQ.objects.exists()


def test_cleanup_past_its_time_limit_enqueues_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "DELETE_CHUNK", 3)
    with time_machine.travel(NOW, tick=False):
        stocked("lstm", 8, timedelta(days=8), 1)

        deleted = apply_retention(seconds=0)

        assert deleted == {"random_forest": 0, "lstm": 3}
        task = OrmQ.objects.get()
        assert (task.key, task.func(), task.args()) == ("shiolplus", "tickets.tasks.clean_up_tickets", ())
        assert TicketBatch.objects.get().stored == PreGeneratedTicket.objects.count() == 5
        assert clean_up_tickets() == NOTHING | {"lstm": 5}
