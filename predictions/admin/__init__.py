"""The admin's pages for draws and what was learned from them: to browse, and to act after a preview."""

from predictions.admin import backtests, clusters, draws, laws, queue, randomness, runs, shares, trained

__all__ = ["backtests", "clusters", "draws", "laws", "queue", "randomness", "runs", "shares", "trained"]
