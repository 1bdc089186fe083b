"""Settings of solvers and fits, and the grid of the study by name."""
