"""The dock “Spectrum”."""
