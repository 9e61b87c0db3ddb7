"""Scoring of ticket batches against the winning numbers."""
