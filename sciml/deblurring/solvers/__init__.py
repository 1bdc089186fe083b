"""The image for a known kernel: total variation, splitting with unknown boundary, any prior."""
