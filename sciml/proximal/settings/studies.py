"""Settings of the studies beside the networks: known priors, digits, trained priors, certificates, ablations and colour.

What a stage reads beyond its settings has its value here, in the stage's own model.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from sciml.proximal.settings.structures import Schedule, matching_schedule
from sciml.runtime.settings import DataConfig, DataTier, StageConfig

Levels = tuple[NonNegativeFloat, ...]
NOISE_LEVELS = (0.0, 0.05, 0.1, 0.2, 0.3)
NOISE = "standard deviations of noise that R is computed at, ascending"
MIXING_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
MIXING = "shares of another picture that R is computed at, ascending, 0, 0.5 and 1 among them"
DIGITS = {"digits8": "proximal-digits", "digits20": "proximal-digits20"}
"""Experiment of the splits by set of digits."""


class ToyConfig(StageConfig):
    """The low-dimensional study: the Laplace prior on the line for several seeds, and others."""

    seeds: tuple[NonNegativeInt, ...] = Field(
        default=(0, 1, 2), min_length=1, description="seeds of the networks on the Laplace prior"
    )
    schedule: Schedule = Field(
        default=matching_schedule((0.5, 0.3, 0.2, 0.1), 5000, 3e-3, 2000, 1e-2), description="training on the Laplace prior"
    )
    batch_size: Literal[256, 512, 1024, 2048, 4096, 8192] = Field(default=4096, description="samples a step, Laplace prior")
    published_schedule: Schedule | None = Field(
        default=matching_schedule((0.5, 0.3, 0.2, 0.1), 700, 1e-3, 1000, 1e-3),
        description="training of the published 4 x 50 network; null: none",
    )
    priors: tuple[Literal["gaussian", "exponential", "box", "disc", "l1-ball", "points", "student-t", "two-gaussians"], ...] = (
        Field(
            default=("gaussian", "exponential", "box", "disc", "l1-ball", "points", "student-t", "two-gaussians"),
            description="other priors, a network each",
        )
    )
    priors_schedule: Schedule = Field(
        default=matching_schedule((0.4, 0.2, 0.1), 1200, 3e-3, 600, 1e-2), description="training on every other prior"
    )
    priors_batch_size: Literal[256, 512, 1024, 2048, 4096, 8192] = Field(default=2048, description="samples a step, other priors")


class DigitsSettings(StageConfig):
    """The published network at a small size, on digits."""

    retired = frozenset({"data_tier", "batch_size", "ema_decay", "noise_levels", "blur_widths", "mixing_shares"})
    digits: Literal["digits8", "digits20"] = Field(default="digits8", description="8 x 8 digits, or 20 x 20 at the tier full")
    pad: int = Field(default=0, ge=0, le=8, description="zeros on each side of a digit")
    width: int = Field(default=24, ge=1, description="channels of each convolution")
    head: int = Field(default=64, ge=1, description="units of the layer that sees the whole digit")
    schedule: Schedule = Field(
        default=matching_schedule((0.64, 0.32, 0.16, 0.08), 1200, 2e-3, 5000, 1e-2), description="losses of the training"
    )
    test_digits: int = Field(default=200, ge=2, description="test digits whose R is computed")


class DigitsConfig(DigitsSettings, DataConfig):
    """What the study of digits reads: the published network at a small size, and the corruptions that its prior is tested on."""

    data_tier: DataTier = "default"
    batch_size: int = Field(default=64, ge=1, description="digits of a step")
    ema_decay: float = Field(default=0.995, ge=0, lt=1, description="decay of the averaged weights")
    noise_levels: Levels = Field(default=NOISE_LEVELS, min_length=2, description=NOISE)
    blur_widths: Levels = Field(
        default=(0.0, 0.2, 0.4, 0.8, 1.6),
        min_length=2,
        description="standard deviations of the blur, pixels, ascending; the published 0 to 4 by 8/20, the size of a digit here "
        "and there",
    )
    mixing_shares: Levels = Field(default=MIXING_SHARES, min_length=3, description=MIXING)


class TheoryConfig(StageConfig):
    """What the studies of small networks read."""

    toy: ToyConfig
    digits: DigitsConfig


class CertifyConfig(StageConfig):
    """What the certificates of weights are measured on."""

    size: int = Field(default=12, ge=2, le=16, description="rows and columns of the test images; a network may need more")


class PriorSettings(StageConfig):
    """R on test pictures, detection and posterior covariance."""

    retired = frozenset({"data_tier", "noise_levels", "blur_widths", "mixing_shares", "spacing"})
    photographs: int = Field(default=10, ge=2, description="test photographs")
    photo_size: int = Field(default=128, ge=32, description="side of a photograph's centre, pixels")
    slices: int = Field(default=12, ge=2, description="CT slices of each subject")
    ct_size: int = Field(default=256, ge=64, description="side of a slice, pixels, by a whole factor")
    fbp_views: tuple[PositiveInt, ...] = Field(default=(30, 60), description="views of back-projections with streaks")
    covariance_pictures: int = Field(default=4, ge=1, description="validation crops of the posterior covariance")
    covariance_size: int = Field(default=48, ge=16, description="pixels a side of such a crop")
    directions: int = Field(default=6, ge=1, description="leading eigenvectors of the covariance")
    lanczos_steps: int = Field(default=20, ge=2, description="products with the Jacobian for them")


class PriorConfig(PriorSettings, DataConfig):
    """What the study of trained priors reads: R on test pictures, detection, posterior covariance, a wrong noise level."""

    data_tier: DataTier = "default"
    noise_levels: Levels = Field(default=NOISE_LEVELS, min_length=2, description=NOISE)
    blur_widths: Levels = Field(
        default=(0.0, 0.5, 1.0, 2.0, 4.0), min_length=2, description="standard deviations of the blur, pixels, ascending"
    )
    mixing_shares: Levels = Field(default=MIXING_SHARES, min_length=3, description=MIXING)
    spacing: int = Field(default=8, ge=1, description="distance of the pixels that one probe of the variance takes together")


class AblateConfig(DataConfig):
    """What the comparison of design choices reads: the validation crops, and what counts as equal."""

    data_tier: DataTier = "default"
    sigmas: tuple[float, ...] = Field(default=(0.025, 0.1, 0.2), min_length=1, description="noise levels")
    gradients: int = Field(default=16, ge=1, description="N of a solution; it is measured at N and at 3 N")
    crops: int = Field(default=30, ge=1, description="crops of validation pictures")
    crop_size: int = Field(default=96, ge=8, description="pixels a side of such a crop")


class ColourSettings(StageConfig):
    """Photographs in colour."""

    retired = frozenset({"data_tier", "tolerance"})
    sigmas: tuple[PositiveFloat, ...] = Field(default=(0.05, 0.1, 0.2), min_length=1, description="noise levels")
    photographs: int = Field(default=10, ge=1, description="test photographs")
    validation_photographs: int = Field(default=5, ge=0, description="photographs that the rivals are tuned on")
    size: int = Field(default=256, ge=32, description="side of a photograph's centre, pixels")


class ColourConfig(ColourSettings, DataConfig):
    """What the study of colour photographs reads."""

    data_tier: DataTier = "default"
    tolerance: float = Field(default=3e-4, gt=0, description="relative residual of the networks; that of the study")
