"""Settings that are shared by several stages: domains of pictures, and vectors."""
