"""Commands for a user's own files, and what every stage declares."""
