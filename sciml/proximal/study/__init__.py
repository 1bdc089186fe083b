"""What the study does: exact priors, digits, what a prior knows, uncertainty, colour."""
