"""The admin's pages for draws and what was learned from them: to browse, and to act after a preview."""

from predictions.admin import draws, laws, queue, runs, trained

__all__ = ["draws", "laws", "queue", "runs", "trained"]
