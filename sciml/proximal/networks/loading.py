"""Networks by name for files of the user's own: ready for large images, and matched with what a file holds."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator

from torch import Tensor

from sciml.formats.image import Image
from sciml.imaging.tasks.scale import Batch
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.forms import LearnedProximalNetwork, load_denoiser
from sciml.proximal.networks.guided import GuidedNetwork
from sciml.proximal.networks.network import Images
from sciml.proximal.networks.peers import ResidualDenoiser
from sciml.runtime.errors import ConfigError

log = logging.getLogger(__name__)

DENOISER = "photo-grey"
TILE = 256
"""Rows and columns of the tiles in which a convolutional potential computes large images."""
AT_ONCE = 2**18
"""Pixels that are computed at the same time: slices of a volume in batches of this size."""
FAR = 2.0


def load_network(name: str, device: str = "cpu") -> LearnedProximalNetwork:
    """Return a network of images with one R, by shipped name or path, ready for large images.

    Raises:
        DataError: there is no such name or file; the message lists the names.
        FormatError: a pickle file, which could run code, or a damaged one.
        ConfigError: a network of vectors or volumes, one with a guide, or a peer.
    """
    network = load_model(name, device)
    if isinstance(network, GuidedNetwork):
        raise ConfigError(
            f"{name} has a guide, and another R for each picture; take the network it belongs to, such as {DENOISER}"
        )
    return network


def load_model(name: str, device: str = "cpu") -> LearnedProximalNetwork | GuidedNetwork:
    """Return what denoises and reconstructs, by shipped name or path, ready for large images; raises as `load_network`."""
    network = load_denoiser(name).to(device).requires_grad_(False)
    if isinstance(network, ResidualDenoiser):
        raise ConfigError(f"{name} is a denoiser without R, for the comparisons of the study only; take {DENOISER}")
    if isinstance(network, ExplicitNetwork):
        axes = network.potential.dimensions
        if axes != 2:
            raise ConfigError(f"{name} is a network of {'vectors' if axes == 0 else 'volumes'}; use it from Python")
        network.tile = TILE if network.potential.radius is not None else None
    return network


def for_network(batch: Batch, picture: Image, network: LearnedProximalNetwork | GuidedNetwork, model: str) -> Images:
    """Return the channels or slices of a file as images of a network: one by one, or the three colours together.

    Raises:
        ConfigError: the network takes another number of channels.
    """
    if network.channels == 1:
        return batch
    if picture.axes == "HWC" and len(batch) == network.channels:
        return batch.transpose(0, 1)
    has = "3 colours" if picture.axes == "HWC" else "1 channel"
    raise ConfigError(f"{model} takes {network.channels} channels at once, {picture.name} has {has}; take --model {DENOISER}")


def warn_if_far(network: LearnedProximalNetwork | GuidedNetwork, model: str, sigma: float) -> None:
    """Warn of a noise level outside [1/2, 2] times the trained range, with the nearest level that was trained."""
    low, high = network.sigma_range
    if low / FAR <= sigma <= high * FAR:
        return
    nearest = low if sigma < low else high
    warnings.warn(
        f"sigma {sigma:.3g} is far from the noise that {model} was trained on, {low:g} to {high:g}: its prior is used scaled by "
        f"s = {sigma / nearest:.3g}, still a proximal operator but never trained there; "
        + ("average blocks of pixels first" if sigma > high else f"--noise-std {nearest:g} is the nearest trained level"),
        stacklevel=3,
    )


def parts(images: Tensor, pixels: int | None = None) -> Iterator[slice]:
    """Yield slices of a batch with at most `AT_ONCE` pixels each, at least one image; long work says how far it is."""
    size = max(1, AT_ONCE // (pixels or images[0].numel()))
    slices = [slice(first, min(first + size, len(images))) for first in range(0, len(images), size)]
    if len(slices) == 1:
        yield from slices
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(slices, f"{len(images)} images", console=Console(stderr=True))
    else:
        for part in slices:
            log.info("images %d to %d of %d", part.start + 1, part.stop, len(images))
            yield part
