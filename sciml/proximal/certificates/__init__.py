"""Invariants that hold for any weights, each checked in numbers."""
