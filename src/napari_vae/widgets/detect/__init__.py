"""The dock “Detect atoms”."""
