"""Windows of an image: cut out, normalised, and pasted back."""
