"""The smallest family of the workbench: one linear filter, learned to take noise out of smooth pictures.

Example:
    >>> import torch
    >>> from sciml_example.filters.network import LinearFilter
    >>> LinearFilter(5)(torch.ones(1, 1, 8, 8)).shape
    torch.Size([1, 1, 8, 8])
"""
