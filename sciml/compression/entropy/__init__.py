"""What a symbol costs: interlaced passes, predicted classes, tables, codebooks, range coding."""
