"""Training: fits in processes of their own, their leases, and the model files."""
