"""Blur taken out of frames, by the deblurring family and the classical methods."""
