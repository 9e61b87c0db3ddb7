"""The door to the ticket table: every row is made, read and deleted through what stands here.

Making is `insertion`, deleting `deletion`, reading `retrieval`. Rows are made and deleted nowhere else, so
that a batch's counts are always true.
"""

from tickets.store.deletion import (
    MAX_DAYS,
    clear_old_batch_tickets,
    days_ago,
    expired_claimed_tickets,
    expired_tickets,
    purge_batch,
    tickets_of_batch,
    unpurgeable_claims,
)
from tickets.store.insertion import TicketRow, insert_batch_tickets, insert_rows
from tickets.store.retrieval import get_batch_ticket_stats, get_cached_tickets

__all__ = [
    "MAX_DAYS",
    "TicketRow",
    "clear_old_batch_tickets",
    "days_ago",
    "expired_claimed_tickets",
    "expired_tickets",
    "get_batch_ticket_stats",
    "get_cached_tickets",
    "insert_batch_tickets",
    "insert_rows",
    "purge_batch",
    "tickets_of_batch",
    "unpurgeable_claims",
]
