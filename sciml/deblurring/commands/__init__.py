"""The commands of `sciml deblurring` for photographs of the user, and the stages as the workflow calls them."""
