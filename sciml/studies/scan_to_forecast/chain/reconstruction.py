"""From k-space to magnitudes, slice by slice: missing samples as zeros, total variation, a learned proximal network."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sciml.imaging import tv, zero_filled
from sciml.proximal import LearnedProximalNetwork, reconstruct
from sciml.studies.scan_to_forecast.chain.acquisition import BATCH, Measured
from sciml.studies.scan_to_forecast.config import Reconstruction

log = logging.getLogger(__name__)
NETWORK = "mr-t1"
TOLERANCE = 1e-2
"""Relative residual at which a learned reconstruction ends; a tenth of it takes four times as long."""


def reconstruct_volume(
    measured: Measured, method: Reconstruction, network: str | Path = NETWORK, tolerance: float = TOLERANCE
) -> Float[np.ndarray, "slices rows columns"]:
    """Return the magnitudes that a method makes of k-space; of k-space without noise or gap all make the same, A^T y.

    Args:
        measured: k-space of every slice.
        method: `zero-filled`, A^T y; `tv`, the least total variation for this noise; `lpn`, a network of `sciml.proximal` as the
            prior.
        network: shipped network or weight file of `lpn`.
        tolerance: relative residual that ends a learned reconstruction.
    """
    physics, count = measured.physics(), len(measured.samples)
    exact = measured.noise_std == 0 and len(measured.rows) == measured.size[0]
    prior = LearnedProximalNetwork.load(network) if method == "lpn" and not exact else None
    found = []
    for start in range(0, count, BATCH):
        y = measured.full(slice(start, start + BATCH))
        if prior is not None:
            x: Tensor = reconstruct(y, physics, prior, measured.noise_std, tolerance=tolerance).image
        else:
            x = tv(y, physics) if method == "tv" and not exact else zero_filled(y, physics)
        found.append(x.square().sum(1).sqrt().numpy())
        log.info("%s: %d of %d slices", method, min(start + BATCH, count), count)
    return np.concatenate(found)
