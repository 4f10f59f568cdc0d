"""Deep kernels: Gaussian processes on an embedding that is learned with them."""
