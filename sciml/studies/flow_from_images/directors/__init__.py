"""From pictures to the order of the rods: structure tensor, calibration."""
