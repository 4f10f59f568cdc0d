"""Learning where to measure: deep kernels, and the loop that measures where it is worth most."""
