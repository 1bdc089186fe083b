"""Minimisation and inversion: quasi-Newton steps, Newton's method, and gradients through a minimiser."""
