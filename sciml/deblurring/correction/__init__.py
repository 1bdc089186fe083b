"""The kernel: corrected as far as held-out pixels ask for it, or estimated from the picture itself."""
