"""Scoring: ticket batches vs. the winning numbers."""
