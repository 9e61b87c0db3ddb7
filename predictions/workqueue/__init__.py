"""The task queue: clusters and their heartbeats, leases, and pruning."""
