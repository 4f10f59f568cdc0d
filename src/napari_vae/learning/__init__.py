"""Learning where to measure: a deep kernel, acquisitions, and the loop that asks and is told."""
