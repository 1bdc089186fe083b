"""What the page says of files without loss."""
