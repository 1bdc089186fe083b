"""Many trials: what the stages write, and the statistics that decide what is marked."""
