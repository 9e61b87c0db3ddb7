"""The admin's pages for draws and what was learned from them: to browse, and to act after a preview."""

from predictions.admin import (
    backtests,
    clusters,
    django_q,
    draws,
    pipeline_runs,
    predictions,
    randomness,
    strategy_shares,
    trained_models,
)

__all__ = [
    "backtests",
    "clusters",
    "django_q",
    "draws",
    "pipeline_runs",
    "predictions",
    "randomness",
    "strategy_shares",
    "trained_models",
]
