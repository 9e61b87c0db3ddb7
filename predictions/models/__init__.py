"""Models of predictions: draws, trained models, predictions, backtests, pipeline runs and clusters."""

from predictions.models.backtests import Backtest, BacktestFold, BacktestQuerySet
from predictions.models.clusters import Cluster, ClusterQuerySet
from predictions.models.draws import Draw, Feed
from predictions.models.leases import LeasedModel, LeasedQuerySet, lease_expiry
from predictions.models.pipeline import PipelineRun, PipelineStep
from predictions.models.predictions import Prediction, PredictionQuerySet, StrategyShares
from predictions.models.randomness import RandomnessReport
from predictions.models.timed import REQUEST_ID_LENGTH, RUN_ID_LENGTH, TimedModel, check_run_id, new_run_id
from predictions.models.training import TrainedModel, TrainedModelQuerySet, Training

__all__ = [
    "REQUEST_ID_LENGTH",
    "RUN_ID_LENGTH",
    "Backtest",
    "BacktestFold",
    "BacktestQuerySet",
    "Cluster",
    "ClusterQuerySet",
    "Draw",
    "Feed",
    "LeasedModel",
    "LeasedQuerySet",
    "PipelineRun",
    "PipelineStep",
    "Prediction",
    "PredictionQuerySet",
    "RandomnessReport",
    "StrategyShares",
    "TimedModel",
    "TrainedModel",
    "TrainedModelQuerySet",
    "Training",
    "check_run_id",
    "lease_expiry",
    "new_run_id",
]
