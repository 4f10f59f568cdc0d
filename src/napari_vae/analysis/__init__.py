"""What to do with latents: clusters, figures."""
