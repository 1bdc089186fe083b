"""How closures learn: point by point, and through the solver."""
