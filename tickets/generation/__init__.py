"""Planning, running, verifying, regenerating and replenishing ticket batches."""
