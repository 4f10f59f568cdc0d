"""The dock “Explore latents”: a scatter that is linked with the canvas, and what belongs to it."""
