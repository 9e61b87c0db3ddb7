"""The tickets of a draw that is published after the pipeline went on without it."""

from datetime import UTC, date, datetime

import pytest
import time_machine
from django.test import TestCase
from django_q.models import OrmQ

from predictions.draws import download
from predictions.models import Draw, PipelineRun
from predictions.tasks import run_pipeline_after_draw
from tests.factories import ticket
from tests.feed_server import NY_CSV, Answer, FeedServer
from tickets.models.scores import BatchScore
from tickets.store import insert_batch_tickets
from tickets.tasks import score_draws

MONDAY = date(2026, 11, 23)


def tick(hour: int, minute: int) -> None:
    """Run the scheduled task on Tuesday at a time in UTC, five hours ahead of New York."""
    instant = datetime(2026, 11, 24, hour, minute, tzinfo=UTC)
    with time_machine.travel(instant), TestCase.captureOnCommitCallbacks(execute=True):
        run_pipeline_after_draw()


@pytest.mark.django_db
def test_the_tickets_of_a_draw_published_in_the_afternoon_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "RETRIES", download.Retry(total=0))
    with time_machine.travel(datetime(2026, 11, 23, 12, tzinfo=UTC)):
        insert_batch_tickets([ticket(7, 14, 24, 30, 56, 7)], "v1", draw_date=MONDAY)
    with FeedServer(Answer(body=f"{NY_CSV}11/21/2026,01 02 03 04 05 06,2\n".encode())) as server:
        monkeypatch.setitem(download.URLS, "ny", server.url)
        tick(17, 0)  # noon: the pipeline runs without the draw
        server.answers = [Answer(body=f"{NY_CSV}11/23/2026,07 14 24 30 56 07,2\n".encode())]
        tick(20, 30)

    assert Draw.objects.filter(draw_date=MONDAY).exists()
    scoring = [order for order in OrmQ.objects.order_by("id") if order.func() == "tickets.tasks.score_draws"]
    assert [order.args() for order in scoring] == [([MONDAY],)]
    assert score_draws([MONDAY]) == {"draws": 1, "scored": 1}
    assert BatchScore.objects.get().tier_1 == 1
    assert PipelineRun.objects.get().pipeline_run_id == "after-2026-11-23"
