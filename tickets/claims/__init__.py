"""Claims: tickets allocated to API clients, and the keys that authenticate them."""
