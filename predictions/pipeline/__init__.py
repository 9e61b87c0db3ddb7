"""Pipeline runs, their six steps, and the run after each draw."""
