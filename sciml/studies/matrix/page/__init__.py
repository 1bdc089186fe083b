"""The page of the matrix, from its artefacts alone."""
