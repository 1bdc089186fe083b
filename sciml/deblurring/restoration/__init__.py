"""A whole restoration, from a blurred picture and a rough kernel to a sharp one."""
