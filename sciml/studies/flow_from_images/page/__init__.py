"""The page of the study, from its results alone."""
