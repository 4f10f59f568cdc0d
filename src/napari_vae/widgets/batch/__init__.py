"""The dock “Batch”."""
