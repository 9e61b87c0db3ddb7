"""Monitoring: the state of the system at an instant, and diagnostics of it."""
