"""Training a model: one step, the batches, the schedule, the curriculum, the state on disk, several processes."""
