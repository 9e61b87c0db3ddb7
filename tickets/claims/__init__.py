"""Allocation of tickets to API clients, and the keys that authenticate them."""
