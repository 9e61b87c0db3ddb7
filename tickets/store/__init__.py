"""The only access to ticket rows: insertion, retrieval and deletion.

Every insert and delete updates the batches' counts in the same transaction.
"""

from tickets.store.deletion import (
    MAX_DAYS,
    clear_old_batch_tickets,
    count_unpurgeable_claims,
    days_ago,
    find_expired_claimed_tickets,
    find_expired_tickets,
    find_purgeable_tickets,
    purge_batch,
)
from tickets.store.insertion import TicketRow, insert_batch_tickets, insert_rows
from tickets.store.retrieval import get_batch_ticket_stats, get_cached_tickets

__all__ = [
    "MAX_DAYS",
    "TicketRow",
    "clear_old_batch_tickets",
    "count_unpurgeable_claims",
    "days_ago",
    "find_expired_claimed_tickets",
    "find_expired_tickets",
    "find_purgeable_tickets",
    "get_batch_ticket_stats",
    "get_cached_tickets",
    "insert_batch_tickets",
    "insert_rows",
    "purge_batch",
]
