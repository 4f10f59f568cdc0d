"""Active learning: which candidate to measure next, the loop that measures, and its record."""
