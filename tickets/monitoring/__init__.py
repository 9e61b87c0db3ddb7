"""Snapshots of the system and the diagnostics derived from them."""
