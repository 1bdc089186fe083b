"""The commands of `sciml progression`, and the stages as the workflow calls them."""
