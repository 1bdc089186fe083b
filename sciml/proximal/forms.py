"""Learned proximal networks of every form: what builds or loads one imports the class from here.

`sciml.proximal.network` says what a network offers and knows no form; the two forms are known to it once they are imported,
which is done here.
"""

from sciml.proximal.explicit import ExplicitNetwork
from sciml.proximal.implicit import ImplicitNetwork
from sciml.proximal.network import LearnedProximalNetwork

__all__ = ["ExplicitNetwork", "ImplicitNetwork", "LearnedProximalNetwork"]
