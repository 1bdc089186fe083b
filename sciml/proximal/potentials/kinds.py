"""All kinds of convex potentials by name, and how one is made of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from sciml.proximal.potentials.convolutional import Convolutional
from sciml.proximal.potentials.frame import Frame
from sciml.proximal.potentials.potential import Potential
from sciml.proximal.potentials.published import Dense, Published
from sciml.proximal.settings.structures import ConvolutionalPotential, DensePotential, FramePotential, PublishedPotential
from sciml.runtime.errors import ConfigError
from sciml.runtime.settings import StageConfig, validated

# kind -> class, its settings; an instance is Class(settings, generator)
POTENTIALS: dict[str, tuple[Any, type[StageConfig]]] = {
    "dense": (Dense, DensePotential),
    "published": (Published, PublishedPotential),
    "convolutional": (Convolutional, ConvolutionalPotential),
    "frame": (Frame, FramePotential),
}


def parse_potential(values: Mapping[str, Any], source: str = "the network's description") -> StageConfig:
    """Return the settings of a potential from plain values with a `kind`.

    Raises:
        ConfigError: unknown kind, or a wrong setting.
    """
    kind = values.get("kind")
    if kind not in POTENTIALS:
        raise ConfigError(f"{source}: no potential is of kind {kind!r}; known: {', '.join(sorted(POTENTIALS))}")
    return validated(POTENTIALS[kind][1], dict(values), source)


def build_potential(config: StageConfig, seed: int = 0) -> Potential:
    """Return an untrained potential; equal seeds give equal weights."""
    make, _ = POTENTIALS[getattr(config, "kind")]  # noqa: B009 - every settings model of a potential has a kind
    return make(config, torch.Generator().manual_seed(seed))
