"""Chart data for templates."""
