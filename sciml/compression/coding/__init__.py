"""Planes of a picture to symbols and back: transform, choice of symbols, tiles, refinement, rate control."""
