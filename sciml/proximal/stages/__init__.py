"""The stages of the study of learned proximal networks."""
