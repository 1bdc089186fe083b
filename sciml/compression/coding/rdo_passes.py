"""Passes of rate-distortion optimisation in the encoder: symbols chosen for what the network makes of them.

The encoder's plain choice (`sciml.compression.coding.symbol_choice`) brings the decoded planes z near the picture's planes y, as
if decoding ended there. With a network behind it the error is |D(z) - x|^2, and its gradient says where z should rather be: round
by round

    y' = (y + z - g) / 2,   g = d/dz 1/2 |D(z) - x|^2

takes the place of y, and the symbols are chosen anew. Where D is linear, g = z - y and nothing changes. The stream does not care
how symbols were chosen: files are decoded as all others.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from sciml.compression.coding.model import CodecModel
from sciml.compression.coding.tile_coding import TileWindow, encode_planes
from sciml.compression.coding.transform import block_dct, lap
from sciml.compression.entropy.context import VALUE_UNITS


def refined_planes(
    model: CodecModel,
    quality: int,
    step: float,
    window: TileWindow,
    weight: float | Float[np.ndarray, "rows16 columns16"],
    rounds: int,
) -> Float[np.ndarray, "planes rows16 columns16"]:
    """Return planes that a tile's symbols are to be chosen for in place of the picture's own.

    What lies around the tile is taken as it is in the picture: only the tile's own symbols are chosen.

    Args:
        model: model with or without a network; without one the picture's planes are returned.
        quality: number of the set among those of the model.
        step: step of the quantiser.
        window: the tile and what is around it.
        weight: squared steps a bit is worth.
        rounds: how often.
    """
    planes = window.planes(model)
    if model.network is None:
        return planes
    decoded = np.zeros_like(planes)
    for _ in range(rounds):
        values = encode_planes(model, quality, step, planes, weight, bytes_too=False).values
        decoded[: len(values)] = values * np.float32(step / VALUE_UNITS)
        planes = (planes + decoded - _gradient(model, step, window, decoded)) / 2
    return planes


def _gradient(
    model: CodecModel, step: float, window: TileWindow, decoded: Float[np.ndarray, "planes rows16 columns16"]
) -> Float[np.ndarray, "planes rows16 columns16"]:
    """Return the gradient of half the squared error of the window's pixels by the tile's planes.

    Every step before the network is orthonormal, so the way back through it is the way there.
    """
    assert model.network is not None
    lapped = window.lapped.copy()
    lapped[:, *window.inner] = model.transform.blocks(decoded)
    picture = model.transform.unrotate(lap(lapped, inverse=True))
    # what continues the picture to full blocks is cut off by the decoder: its error does not count
    rows, columns = window.inside
    by_pixel = model.network.error_gradient(picture, window.centred[:rows, :columns], step)
    by_sample = lap(model.transform.rotate(by_pixel))[:, *window.inner]
    return block_dct(np.ascontiguousarray(by_sample))[model.transform.order]
