"""What the study does on many pairs: blur, restore, score."""
