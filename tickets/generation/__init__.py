"""Generation: plan, run, verify, regenerate and replenish ticket batches."""
