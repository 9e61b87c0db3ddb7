"""Scoring: batches compared with the winning numbers."""
