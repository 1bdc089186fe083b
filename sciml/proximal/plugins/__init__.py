"""Learned proximal networks inside other programs: deepinv, and the imaging commands."""
