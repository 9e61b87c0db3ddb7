"""What the queue's workers call: ids in, a small dict out."""

from datetime import datetime

from tickets.generation import make_batch
from tickets.models import TicketBatch
from tickets.purging import purge_in_task


def generate_ticket_batch(batch_pk: int) -> dict[str, str | int]:
    """Make one queued batch. A second delivery finds it taken and goes."""
    make_batch(batch_pk)
    batch = TicketBatch.objects.get(pk=batch_pk)
    return {"batch": batch.pk, "mode": batch.mode, "status": batch.status, "stored": batch.stored}


def purge_ticket_batch(batch_pk: int, before: str | None) -> dict[str, int]:
    """Delete a part of a batch's tickets, or of those made before an instant, and enqueue the rest."""
    deleted = purge_in_task(batch_pk, None if before is None else datetime.fromisoformat(before))
    return {"batch": batch_pk, "deleted": deleted}
