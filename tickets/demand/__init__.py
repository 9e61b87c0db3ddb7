"""Demand: sales windows, forecast, reorder points and stock levels."""
