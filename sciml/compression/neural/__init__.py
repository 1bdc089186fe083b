"""The neural preset: networks around a cascade of vector codebooks, as in McQuic (Zhu et al., CVPR 2022).

`published` has the paper's networks and sizes, `small` trains in minutes on a processor; both are a `cascade`, write the same
files as every other model of the codec, and decode to the same codes everywhere, since their probabilities are static tables
of whole numbers.
"""
