"""Closures of the moment equations: Bingham, quadratic, learned."""
