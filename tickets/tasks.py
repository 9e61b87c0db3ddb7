"""What the queue's workers call: ids in, a small dict out."""

from tickets.generation import make_batch
from tickets.models import TicketBatch


def generate_ticket_batch(batch_pk: int) -> dict[str, str | int]:
    """Make one queued batch. A second delivery finds it taken and goes."""
    make_batch(batch_pk)
    batch = TicketBatch.objects.get(pk=batch_pk)
    return {"batch": batch.pk, "mode": batch.mode, "status": batch.status, "stored": batch.stored}
