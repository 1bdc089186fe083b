"""Learned proximal networks of every form, and the denoisers without guarantee that they are compared with.

`sciml.proximal.networks.network` says what a network offers and knows no form; the two forms are known to it once they are
imported, which is done here: what builds or loads a network imports the class from this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.guided import GuidedNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.network import LearnedProximalNetwork
from sciml.proximal.networks.peers import ResidualDenoiser, build_peer
from sciml.proximal.networks.weight_files import weight_file
from sciml.proximal.settings.structures import PeerConfig
from sciml.runtime.errors import ConfigError
from sciml.runtime.settings import validated
from sciml.training import load_weights, read_weights_metadata

__all__ = ["Denoiser", "ExplicitNetwork", "GuidedNetwork", "ImplicitNetwork", "LearnedProximalNetwork", "load_denoiser"]

Denoiser = LearnedProximalNetwork | GuidedNetwork | ResidualDenoiser


def load_denoiser(name: str | Path) -> Denoiser:
    """Return a learned proximal network, one with a guide, or a peer, with its weights, in evaluation mode.

    Raises:
        DataError: there is no such file.
        ConfigError: the file is a weight file of something else.
    """
    path = weight_file(name)
    description = read_weights_metadata(path)["extra"].get("network")
    if not isinstance(description, Mapping):
        raise ConfigError(f"{path} holds no denoiser: its metadata lacks extra.network")
    form = description.get("form")
    if form not in ("peer", GuidedNetwork.form):
        return LearnedProximalNetwork.load(path)
    if form == "peer":
        made = build_peer(validated(PeerConfig, description.get("peer"), f"the description in {path}"))
    else:
        made = GuidedNetwork.from_description(description)
    load_weights(path, made)
    LearnedProximalNetwork.check_weights(made, str(path))  # pyright: ignore[reportArgumentType]
    return made.eval()
