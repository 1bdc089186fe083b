"""What is learned: convex potentials psi, and the weakly convex regulariser R with its filters."""
