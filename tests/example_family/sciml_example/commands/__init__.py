"""Commands of the example: what its stages declare."""
