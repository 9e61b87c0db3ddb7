"""Admin pages for runs, batches, policies, tickets, scores, API clients, claims and demand."""

from tickets.admin import batches, claims, clients, demand, generation_runs, policies, scores, tickets

__all__ = [
    "batches",
    "claims",
    "clients",
    "demand",
    "generation_runs",
    "policies",
    "scores",
    "tickets",
]
