"""The dock “Train VAE”."""
