"""Photographs and kernels in files, and results that mean the same."""
