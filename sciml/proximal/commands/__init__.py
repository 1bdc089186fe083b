"""The commands of `sciml proximal` for a user's own files, and the stages as the workflow calls them."""
