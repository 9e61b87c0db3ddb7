"""Check the stored counts of batches against the tickets."""

from typing import Any

from django.db import connection
from django.db.models import Count

from predictions.draws.sources import upcoming_draw
from predictions.modes.registry import MODE_NAMES
from tickets.models import PreGeneratedTicket, TicketBatch
from tickets.store import get_batch_ticket_stats


def assert_every_count_is_true() -> None:
    """Compare each batch's `stored` and each sum of the statistics with COUNT(*)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT batch_id, COUNT(*) FROM pre_generated_tickets GROUP BY batch_id")
        really = dict(cursor.fetchall())
    assert {batch.pk: batch.stored for batch in TicketBatch.objects.all()} == {
        pk: really.get(pk, 0) for pk in TicketBatch.objects.values_list("pk", flat=True)
    }

    def count(**where: Any) -> dict[str, int]:
        tickets = PreGeneratedTicket.objects.filter(**where).order_by()
        return dict.fromkeys(MODE_NAMES, 0) | dict(
            tickets.values_list("mode").annotate(number=Count("pk")).values_list("mode", "number")
        )

    stats = get_batch_ticket_stats()
    assert stats["total_tickets"] == PreGeneratedTicket.objects.count()
    assert stats["by_mode"] == count()
    assert stats["available_by_mode"] == count(draw_date=upcoming_draw(), claim=None)
