"""What the fault drill (`tests/fault_drill.py`) is made of."""
