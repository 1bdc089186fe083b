"""Deblurring with a kernel that is only roughly known: image priors and models of the kernel's error, in one grid."""
