"""Draws, what was learned from them, and what each pipeline run did; one file a noun."""

from predictions.models.backtests import Backtest, BacktestQuerySet, BacktestStretch
from predictions.models.draws import Draw, Feed
from predictions.models.laws import Prediction, PredictionQuerySet, StrategyShares
from predictions.models.randomness import RandomnessReport
from predictions.models.recorded import RUN_ID_LENGTH, Recorded, check_run_id, is_storable, new_run_id
from predictions.models.runs import PipelineRun, PipelineRunQuerySet, PipelineStep
from predictions.models.trained import TrainedModel, TrainedModelQuerySet

__all__ = [
    "RUN_ID_LENGTH",
    "Backtest",
    "BacktestQuerySet",
    "BacktestStretch",
    "Draw",
    "Feed",
    "PipelineRun",
    "PipelineRunQuerySet",
    "PipelineStep",
    "Prediction",
    "PredictionQuerySet",
    "RandomnessReport",
    "Recorded",
    "StrategyShares",
    "TrainedModel",
    "TrainedModelQuerySet",
    "check_run_id",
    "is_storable",
    "new_run_id",
]
