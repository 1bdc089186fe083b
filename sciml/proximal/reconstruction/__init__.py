"""Reconstruction with a learned prior: solvers, noise levels, and what is certain of the result."""
