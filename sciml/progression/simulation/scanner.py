"""From anatomy to image: contrast, bias field, noise, the scale of intensities, and which scanner a visit meets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.grids import GRIDS, Grid
from sciml.progression.config import ScannerConfig
from sciml.progression.simulation.pose import rigid
from sciml.runtime.errors import DataError
from sciml.runtime.seeds import Seeds

# in a brain of any age and disease this share of the voxels is darker than the middle of the white matter
WHITE_PERCENTILE = 80.0
WHITE_LEVEL = 0.8
BIAS_GRID = GRIDS["4.5mm"]
# of the smoothing that makes the bias field
BIAS_WIDTH_MM = 40.0
# of another scanner: standard deviations of ln(gain), of ln(its bias field) and of ln(noise over that of the first one); pose
GAIN_SD, MACHINE_BIAS, NOISE_SD = 0.1, 0.02, 0.3
TURN_DEGREES, SHIFT_MM = (1.0, 3.0), 3.0


@dataclass(frozen=True)
class Session:
    """The scanner of a visit, and how the head lies in it.

    Attributes:
        scanner: 0 is that of the first visit, which has gain 1, no bias of its own, and every head in the same place.
        gain: of the scanner.
        noise: factor of the noise.
        bias_seed: of the scanner's own bias field.
        pose: (4, 4), places in the scanner to places of the subject in mm.
    """

    scanner: int
    gain: float = 1.0
    noise: float = 1.0
    bias_seed: int = 0
    pose: np.ndarray | None = None


def draw_sessions(config: ScannerConfig, visits: int, name: str, seeds: Seeds, calibration: bool = False) -> list[Session]:
    """Return the session of every visit; equal seeds give the same on every grid.

    Args:
        config: of the scanner.
        visits: of the subject.
        name: of the subject.
        seeds: of the run.
        calibration: one scanner for all visits: a forecast, whose changes are read, looks like its first scan.
    """
    if calibration:
        return [Session(0)] * visits
    random, found = np.random.default_rng(seeds("scanner", name)), [Session(0)]
    gain, noise, number = 1.0, 1.0, 0
    for _ in range(1, visits):
        # as many numbers whatever happens, so that a visit more changes no other
        new, first, second = random.uniform(), *random.normal(size=2)
        turn, axis, shift = random.uniform(*TURN_DEGREES), random.normal(size=3), random.uniform(-SHIFT_MM, SHIFT_MM, size=3)
        if new < config.change:
            number, gain, noise = number + 1, float(np.exp(GAIN_SD * first)), float(np.exp(NOISE_SD * second))
        pose = rigid(np.deg2rad(turn) * axis / np.linalg.norm(axis), shift) if number else None
        found.append(Session(number, gain, noise, seeds("bias", name, number), pose))
    return found


def normalise(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return an image with white matter at 0.8, clipped to [0, 1.25], zero outside the brain.

    A percentile inside the brain, not the extremes of the whole volume: one bright voxel must not change the rest.

    Args:
        image: (..., D, H, W).
        mask: bool of the same shape.

    Raises:
        DataError: nothing bright lies in the mask.
    """
    return (image * (WHITE_LEVEL / white_level(image, mask))).clip(0, 1.25) * mask


def white_level(image: np.ndarray, mask: np.ndarray) -> float:
    """Return the intensity of white matter: the 80th percentile in the brain.

    Raises:
        DataError: nothing bright lies in the mask.
    """
    level = float(np.percentile(image[mask], WHITE_PERCENTILE)) if mask.any() else 0.0
    if not level > 0:
        raise DataError("the image is empty within the brain: expected a T1 image with bright white matter")
    return level


def scan(
    intensity: np.ndarray,
    mask: np.ndarray,
    grid: Grid,
    config: ScannerConfig,
    random: np.random.Generator,
    session: Session | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (image, clean): what the scanner sees of an anatomy, with and without bias and noise.

        image = gain | J exp(beta) + n_1 + i n_2 |,   clean = J

    Args:
        intensity: J, (D, H, W), white matter at 0.8.
        mask: bool (D, H, W), the brain; both results are 0 outside.
        grid: of the arrays.
        config: of the scanner.
        random: the visit's generator.
        session: another scanner than that of the first visit.
    """
    field = config.bias * _bias_field(random)
    gain, noise = 1.0, config.noise
    if session is not None:
        gain, noise = session.gain, config.noise * session.noise
        field += MACHINE_BIAS * _bias_field(np.random.default_rng(session.bias_seed))
    places = np.indices(grid.shape, dtype=np.float64)
    places = (places + 0.5) * (grid.spacing_mm / BIAS_GRID.spacing_mm) - 0.5
    bias = np.exp(ndimage.map_coordinates(field, places, order=1, mode="nearest"))
    real, imaginary = noise * random.normal(size=(2, *grid.shape))
    image = gain * np.hypot(intensity * bias + real, imaginary)
    return image * mask, intensity * mask


def _bias_field(random: np.random.Generator) -> np.ndarray:
    """Return a smooth field of standard deviation 1 on `BIAS_GRID`."""
    width = BIAS_WIDTH_MM / BIAS_GRID.spacing_mm
    field = ndimage.gaussian_filter(random.normal(size=BIAS_GRID.shape), width, mode="reflect")
    return field / max(float(field.std()), 1e-12)
