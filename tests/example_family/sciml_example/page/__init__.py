"""The page of the example, from its artefacts alone."""
