"""Admin pages for draws, models, predictions, pipeline runs and the queue."""

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
