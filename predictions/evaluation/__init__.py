"""Evaluation of predictions: log-loss, backtests, comparisons and intervals."""
