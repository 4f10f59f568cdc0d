"""The parts of “Explore latents”: a scatter that is linked with the canvas, and what belongs to it."""
