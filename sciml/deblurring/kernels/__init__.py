"""Kernels: by name or file in canonical form, wrong in known ways, turned, scaled and smoothed."""
