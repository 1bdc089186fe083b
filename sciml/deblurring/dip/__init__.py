"""Untrained networks: their objective, their fit, and when it stops."""
