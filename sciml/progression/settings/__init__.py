"""Settings of networks and their training."""
