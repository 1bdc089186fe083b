"""The microscope: texture of the order, a point-spread function, photons, read-out noise, 12 bits.

    light = photons (1 + contrast |m1| T),    counts = gain (Poisson(k * light) + read-out) + offset,    0 to 4095

T is the texture along the directors, k the point-spread function, whose width and shape differ from instrument to instrument: a
Gaussian of standard deviation w exp(spread g) along and w exp(spread g') across a random direction, g and g' standard normal.
Later steps know w alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, UInt16

from sciml.runtime.errors import ShapeError
from sciml.studies.flow_from_images.microscope.texture import advected, finer, line_integral

WHITE = 4095
"""Largest count of 12 bits."""


@dataclass(frozen=True)
class Microscope:
    """An instrument.

    Attributes:
        pixels: a side of the picture.
        contrast: of full order, as a share of the mean light.
        photons: mean, a pixel.
        width: w, standard deviation of the nominal point-spread function in pixels.
        spread: of the logarithm of the true widths.
        gain: counts a photon.
        read_out: standard deviation of the read-out noise, in photons.
        offset: counts without light.
    """

    pixels: int = 192
    contrast: float = 0.6
    photons: float = 400.0
    width: float = 1.5
    spread: float = 0.2
    gain: float = 2.0
    read_out: float = 4.0
    offset: float = 100.0

    @property
    def noise_std(self) -> float:
        """Standard deviation of the noise of the mean light over the largest count."""
        return self.gain * float(np.sqrt(self.photons + self.read_out**2)) / WHITE


def point_spread(microscope: Microscope, generator: np.random.Generator) -> Float[np.ndarray, "k k"]:
    """Return the point-spread function of one instrument, odd, of sum 1."""
    along, across = microscope.width * np.exp(microscope.spread * generator.standard_normal(2))
    turn = generator.uniform(0, np.pi)
    half = int(np.ceil(4 * max(along, across)))
    x, y = np.meshgrid(np.arange(-half, half + 1), np.arange(-half, half + 1), indexing="ij")
    a, b = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    kernel = np.exp(-((a / along) ** 2 + (b / across) ** 2) / 2)
    return kernel / kernel.sum()


def blurred(picture: Float[np.ndarray, "n n"], kernel: Float[np.ndarray, "k k"]) -> Float[np.ndarray, "n n"]:
    """Return k * x on the periodic square."""
    padded = np.zeros_like(picture)
    padded[: len(kernel), : len(kernel)] = kernel
    centred = np.roll(padded, (-(len(kernel) // 2),) * 2, (0, 1))
    return np.fft.irfft2(np.fft.rfft2(picture) * np.fft.rfft2(centred), picture.shape)


def as_pictures(fields: np.ndarray) -> np.ndarray:
    """Return fields (..., x, y) as pictures: rows from top to bottom, x to the right, y upwards."""
    return np.swapaxes(fields, -1, -2)[..., ::-1, :]


def as_fields(pictures: np.ndarray) -> np.ndarray:
    """Return pictures (..., rows, columns) as fields (..., x, y)."""
    return np.swapaxes(pictures[..., ::-1, :], -1, -2)


def rendered(
    m1: Complex[np.ndarray, "frames n n"],
    velocity: Float[np.ndarray, "times 2 n n"],
    step: float,
    length: float,
    microscope: Microscope,
    seed: int,
) -> tuple[UInt16[np.ndarray, "frames rows columns"], Float[np.ndarray, "k k"]]:
    """Return frames of 12 bits and the point-spread function that blurred them, as pictures.

    Args:
        m1: order of the rods at the frames, equally spaced in time.
        velocity: of the liquid from the first frame to the last, equally spaced, some times a frame.
        step: between two times of the velocity.
        length: side of the square.
        microscope: the instrument.
        seed: of texture, point-spread function and noise.

    Raises:
        ShapeError: the velocity has no time at every frame.
    """
    every, rest = divmod(len(velocity) - 1, max(len(m1) - 1, 1))
    if rest or not every:
        raise ShapeError(f"{len(velocity)} velocities for {len(m1)} frames: give a whole number of them from frame to frame")
    generator = np.random.default_rng(seed)
    n = microscope.pixels
    kernel = point_spread(microscope, generator)
    noise = advected(generator.standard_normal((n, n)), velocity, step, length)[::every]
    found = []
    for field, grain in zip(finer(m1, n), noise, strict=True):
        texture = line_integral(grain, np.angle(field) / 2)
        light = microscope.photons * np.clip(1 + microscope.contrast * np.abs(field) * texture, 0, None)
        seen = generator.poisson(np.clip(blurred(light, kernel), 0, None)) + microscope.read_out * generator.standard_normal(
            (n, n)
        )
        found.append(np.clip(np.rint(microscope.gain * seen + microscope.offset), 0, WHITE).astype(np.uint16))
    return as_pictures(np.stack(found)), as_pictures(kernel)
