"""What is coded and learned from: pictures of 8 bits, slices of volumes, simulated fields."""
