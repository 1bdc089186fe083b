"""Activity and alignment from noisy snapshots, by gradients through the solver."""
