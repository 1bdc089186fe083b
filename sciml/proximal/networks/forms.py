"""Learned proximal networks of every form: what builds or loads one imports the class from here.

`sciml.proximal.networks.network` says what a network offers and knows no form; the two forms are known to it once they are
imported, which is done here.
"""

from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.network import LearnedProximalNetwork

__all__ = ["ExplicitNetwork", "ImplicitNetwork", "LearnedProximalNetwork"]
