"""Registration of two scans of one subject: the smooth stationary velocity that a motion known so far still lacks.

With x_A moved by what is known, M = x_A o y_0 (the flow to the volumes at B), the velocity v = S c makes

    (1)  E(c) = 1/2 sum_brain (x_B - g M o exp(S c))^2 / sigma^2 + 1/2 |c|^2 / tau^2

least. S smooths white noise c by a Gaussian, so that the second term is a prior: velocities are smooth, and as large as tau. g is
a smooth gain, the ratio of the two images over some centimetres: coils and bias fields do not move anything. Gauss-Newton,

    (2)  x_B - g M o exp(S (c + e)) ~ r - grad M . S e,

solves for e by conjugate gradients; S and its adjoint are products of cosine transforms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.fft import dctn, idctn

from sciml.progression.flow.maps import compose, exponential
from sciml.runtime.errors import ShapeError

AXES = (1, 2, 3)


@dataclass(frozen=True)
class RegistrationSettings:
    """How two scans are registered; chosen on the true motion of training subjects.

    Attributes:
        width_voxels: of S.
        noise: sigma, of the difference of two scans that are aligned.
        velocity_voxels: tau, standard deviation of v before the images are seen.
        gain_voxels: width over which the ratio of the images is taken.
        rounds: of Gauss-Newton.
        iterations: of the conjugate gradients in a round.
    """

    width_voxels: float = 2.0
    noise: float = 0.02
    velocity_voxels: float = 0.05
    gain_voxels: float = 9.0
    rounds: int = 2
    iterations: int = 20


class Smooth:
    """S of (1): coefficients (3, D, H, W) of unit variance to a velocity of unit variance, and its adjoint, which is itself.

    Args:
        shape: of the grid.
        width: of the Gaussian, in voxels.
    """

    def __init__(self, shape: tuple[int, ...], width: float) -> None:
        lines = [np.exp(width**2 * (np.cos(np.pi * np.arange(size) / size) - 1)) for size in shape]
        kernel = lines[0][:, None, None] * lines[1][None, :, None] * lines[2][None, None, :]
        self._kernel = (kernel / np.sqrt(np.square(kernel).mean())).astype(np.float32)

    def __call__(self, fields: np.ndarray) -> np.ndarray:
        """Return the smooth fields of fields (3, D, H, W)."""
        return np.asarray(idctn(np.asarray(dctn(fields, axes=AXES, norm="ortho")) * self._kernel, axes=AXES, norm="ortho"))


def register(
    moving: np.ndarray, fixed: np.ndarray, mask: np.ndarray, known: np.ndarray, settings: RegistrationSettings | None = None
) -> np.ndarray:
    """Return v, (3, D, H, W) in voxels: what is at x in the fixed image is where `known` leads from x + exp(v)(x).

    Args:
        moving: x_A, (D, H, W).
        fixed: x_B, on the same grid.
        mask: the brain at B, bool (D, H, W).
        known: displacement y_0 - id from B back to A, (3, D, H, W), in voxels; zeros where nothing is known.
        settings: of the registration.

    Raises:
        ShapeError: the arrays are not on one grid.
    """
    if not moving.shape == fixed.shape == mask.shape == known.shape[1:]:
        raise ShapeError(
            f"images have shapes {moving.shape} and {fixed.shape}, mask {mask.shape}, motion {known.shape}: expected one grid"
        )
    settings = settings or RegistrationSettings()
    smooth = Smooth(mask.shape, settings.width_voxels)
    coefficients = np.zeros((3, *mask.shape), np.float32)
    for _ in range(settings.rounds):
        residual, slope = linearised(moving, fixed, mask, known, smooth(settings.velocity_voxels * coefficients), settings)
        coefficients = coefficients + _step(residual, slope, coefficients, smooth, settings)
    return smooth(settings.velocity_voxels * coefficients)


def linearised(
    moving: np.ndarray,
    fixed: np.ndarray,
    mask: np.ndarray,
    known: np.ndarray,
    velocity: np.ndarray,
    settings: RegistrationSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """Return r of (2), (D, H, W), and grad M, (3, D, H, W), both 0 outside the brain, in parts of the noise."""
    back = np.indices(mask.shape) + compose(known, exponential(velocity))
    moved = ndimage.map_coordinates(np.asarray(moving, np.float64), back, order=3, mode="nearest")

    def over(field: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(np.where(mask, field, 0.0), settings.gain_voxels) + 1e-6

    moved = moved * (over(fixed * moved) / over(moved * moved))
    slope = np.stack([np.gradient(moved, axis=axis) for axis in range(3)]) * mask
    return ((fixed - moved) * mask / settings.noise).astype(np.float32), (slope / settings.noise).astype(np.float32)


def _step(
    residual: np.ndarray, slope: np.ndarray, coefficients: np.ndarray, smooth: Smooth, settings: RegistrationSettings
) -> np.ndarray:
    """Return e of (2), with coefficients in parts of tau: |r - grad M . tau S e|^2 + |c + e|^2 least."""
    size = np.float32(settings.velocity_voxels)

    def normal(fields: np.ndarray) -> np.ndarray:
        return size * smooth(slope * (slope * (size * smooth(fields))).sum(axis=0)) + fields

    left = size * smooth(slope * residual) - coefficients
    found, direction = np.zeros_like(left), left
    product = float((left * left).sum())
    stop = 1e-5 * product
    for _ in range(settings.iterations):
        image = normal(direction)
        length = product / float((direction * image).sum())
        found = found + length * direction
        left = left - length * image
        product, before = float((left * left).sum()), product
        if product <= stop:
            break
        direction = left + (product / before) * direction
    return found
