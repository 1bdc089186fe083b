"""Learned proximal networks in both forms, unconstrained peers, and how either is loaded."""
