"""A trained model with everything needed to apply it again, and what it says of images."""
