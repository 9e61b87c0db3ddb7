"""The admin's pages for runs, batches, policies, tickets and scores: to browse, generate and purge."""

from tickets.admin import batches, generation, policies, scores, stock

__all__ = ["batches", "generation", "policies", "scores", "stock"]
