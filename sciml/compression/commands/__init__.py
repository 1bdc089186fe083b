"""The commands of `sciml compression`, and the stages as the workflow calls them."""
