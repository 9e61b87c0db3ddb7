"""Training: fits in child processes, their leases, and the model files."""
