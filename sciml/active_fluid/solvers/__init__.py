"""Runs of the kinetic theory and of coarse models: started, guarded, stored, diagnosed."""
