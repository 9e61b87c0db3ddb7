"""The admin's pages for runs, batches, policies, tickets, scores, API clients and claims."""

from tickets.admin import batches, claims, clients, generation, policies, scores, stock

__all__ = ["batches", "claims", "clients", "generation", "policies", "scores", "stock"]
