"""The admin's pages for runs, batches and tickets: to browse, and to generate and purge after a preview."""

from tickets.admin import batches, generation, stock

__all__ = ["batches", "generation", "stock"]
