"""The dock “Active learning”."""
