"""Chains and comparisons of the families by their public names, and what all of them need."""
