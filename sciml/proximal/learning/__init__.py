"""How networks learn: losses, schedules, operators and pictures."""
