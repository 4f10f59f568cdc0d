"""Parts of the dock widget “Active learning”."""
