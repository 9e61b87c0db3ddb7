"""Planning, generation, verification, regeneration and replenishment of ticket batches."""
