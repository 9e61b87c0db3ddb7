"""Sales windows, demand forecast, reorder points and stock levels."""
