"""k-space of every slice of a volume, by one coil or several: y_c = m F s_c (x e^{i phi}) + n.

m takes whole rows of k-space, the same in all slices, F is the orthonormal Fourier transform, s_c are the sensitivities of the
coils and phi a smooth phase. n is complex white noise on what is sampled. Sensitivities, mask and noise level are known to who
reconstructs, the phase is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from sciml.imaging.operators.mri import MRI, MultiCoilMRI, cartesian_mask, coil_sensitivities, smooth_phase
from sciml.imaging.operators.physics import Noise
from sciml.runtime.errors import ShapeError
from sciml.runtime.seeds import Seeds
from sciml.studies.scan_to_forecast.config import AcquisitionConfig

CENTRE = 0.08
"""Share of the rows that is sampled around the zero frequency."""
BATCH = 8
"""Slices that are worked on at a time."""


@dataclass(frozen=True)
class Measured:
    """The k-space of a volume.

    Attributes:
        samples: (slices, 2 * coils, measured rows, columns), float32: real and imaginary part of every coil in turn.
        rows: which rows of k-space were measured, their zero frequency in the middle.
        size: rows and columns of a slice.
        noise_std: standard deviation of the real and of the imaginary part of the noise; 0 for none.
    """

    samples: Float[np.ndarray, "slices parts rows columns"]
    rows: Int[np.ndarray, " rows"]
    size: tuple[int, int]
    noise_std: float

    @property
    def coils(self) -> int:
        """Return the number of coils."""
        return self.samples.shape[1] // 2

    def physics(self) -> MRI | MultiCoilMRI:
        """Return the operator of a slice, with its noise level."""
        return physics_of(self.rows, self.size, self.coils, self.noise_std)

    def full(self, slices: slice) -> torch.Tensor:
        """Return the k-space of some slices as the physics has it, zero where nothing was measured.

        Args:
            slices: which.

        Returns:
            (slices, 2, rows, columns) for one coil, else (slices, 2, coils, rows, columns).
        """
        part = self.samples[slices]
        full = np.zeros((*part.shape[:2], *self.size), np.float32)
        full[:, :, self.rows] = part
        split = torch.from_numpy(full).unflatten(1, (self.coils, 2)).transpose(1, 2).contiguous()
        return split[:, :, 0] if self.coils == 1 else split


def physics_of(rows: np.ndarray, size: tuple[int, int], coils: int, noise_std: float) -> MRI | MultiCoilMRI:
    """Return the operator of a slice: of one coil or of several with smooth sensitivities; its norm is 1 at most.

    Args:
        rows: measured rows of k-space.
        size: rows and columns of a slice.
        coils: number of coils.
        noise_std: standard deviation of each part of the noise.
    """
    mask = torch.zeros(1, 2, *size)
    mask[:, :, torch.from_numpy(np.asarray(rows))] = 1
    physics = MRI(mask) if coils == 1 else MultiCoilMRI(mask, coil_sensitivities(size, coils))
    physics.noise_level = Noise(noise_std)
    return physics


def acquire(volume: Float[np.ndarray, "slices rows columns"], config: AcquisitionConfig, seed: int) -> Measured:
    """Measure a volume.

    Args:
        volume: magnitudes from 0 to 1; rows are phase-encoding lines.
        config: how.
        seed: of the rows outside the centre, the phase and the noise.

    Raises:
        ShapeError: not three axes.
        ConfigError: the acceleration leaves fewer rows than the centre takes.
    """
    if volume.ndim != 3:
        raise ShapeError(f"a volume has slices, rows and columns, got an array of {volume.shape}")
    seeds, size = Seeds(seed), (volume.shape[1], volume.shape[2])
    rows = np.flatnonzero(cartesian_mask(size, config.acceleration, min(CENTRE, 1 / config.acceleration), seeds("mask"))[:, 0])
    # a complex sample has the noise of its two parts
    noise_std = config.noise / 2**0.5 * float(volume.max())
    physics = physics_of(rows, size, config.coils, noise_std)
    phase = smooth_phase(size, torch.Generator().manual_seed(seeds("phase")))
    turn = torch.stack([phase.cos(), phase.sin()])
    noise = torch.Generator().manual_seed(seeds("noise"))
    parts = []
    for start in range(0, len(volume), BATCH):
        x = torch.from_numpy(np.ascontiguousarray(volume[start : start + BATCH], np.float32))[:, None] * turn
        y = physics.A(x)[..., torch.from_numpy(rows), :]
        y = y + noise_std * torch.randn(y.shape, generator=noise)
        parts.append((y[:, None] if config.coils == 1 else y.transpose(1, 2)).flatten(1, 2).numpy())
    return Measured(np.concatenate(parts), rows, size, noise_std)
