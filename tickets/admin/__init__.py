"""The admin's pages for runs, batches, tickets and scores: to browse, generate and purge."""

from tickets.admin import batches, generation, scores, stock

__all__ = ["batches", "generation", "scores", "stock"]
