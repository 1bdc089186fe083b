"""Settings that networks are made from: their structures, their training, and those known by name."""
