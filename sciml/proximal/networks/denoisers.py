"""Learned proximal networks and their unconstrained peers behind one loader, for studies that compare them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sciml.proximal.networks.forms import LearnedProximalNetwork
from sciml.proximal.networks.network import weight_file
from sciml.proximal.networks.peers import ResidualDenoiser, build_peer
from sciml.proximal.settings.structures import PeerConfig
from sciml.runtime.errors import ConfigError
from sciml.runtime.settings import validated
from sciml.training import load_weights, read_weights_metadata

Denoiser = LearnedProximalNetwork | ResidualDenoiser


def load_denoiser(name: str | Path) -> Denoiser:
    """Return a learned proximal network, or a peer, with its weights, in evaluation mode.

    Raises:
        DataError: there is no such file.
        ConfigError: the file is a weight file of something else.
    """
    path = weight_file(name)
    description = read_weights_metadata(path)["extra"].get("network")
    if not isinstance(description, Mapping):
        raise ConfigError(f"{path} holds no denoiser: its metadata lacks extra.network")
    if description.get("form") != "peer":
        return LearnedProximalNetwork.load(path)
    peer = build_peer(validated(PeerConfig, description.get("peer"), f"the description in {path}"))
    load_weights(path, peer)
    return peer.eval()
