"""The commands of `sciml active-fluid`, and the stages as the workflow calls them."""
