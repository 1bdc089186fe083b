"""The page of the study, from its artefacts alone."""
