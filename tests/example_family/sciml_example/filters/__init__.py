"""A linear filter against noise, the waves it learns from, and a prior of smoothness."""
