"""The six steps from a new draw to predictions, and the runs that execute them."""
