"""What every stage declares."""
