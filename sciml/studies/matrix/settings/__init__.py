"""Names that settings, stages and page share: the rows and the columns of the matrix."""
