"""From one visit to the next: diffusion of latents, pairs to learn from, forecasts of a subject."""
