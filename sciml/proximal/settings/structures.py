"""Structures of networks and schedules of their training, as settings."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from sciml.runtime.settings import StageConfig

CHANNELS = "channels of the images; 3 for colour"
# whole factors that photographs are reduced by in training, with their chances
DOWNSCALE_PROBABILITIES = {1: 0.25, 2: 0.45, 3: 0.3}


class RegularizerConfig(StageConfig):
    """The implicit form: a weakly convex regulariser of grouped filter responses."""

    kind: Literal["weakly-convex"] = "weakly-convex"
    channels: int = Field(default=1, ge=1, le=16, description=CHANNELS)
    windows: tuple[tuple[PositiveInt, ...], ...] = Field(
        default=((7,),), description="odd window sizes of the filters of each level"
    )
    weak_convexity: float = Field(default=0.97, gt=0, lt=1, description="largest rho; the prox is unique below 1")
    curvature: float = Field(default=20.0, gt=1, description="largest curvature of R, its Lipschitz constant")
    sigma_knots: tuple[PositiveFloat, ...] = Field(
        default=(0.01, 0.03, 0.1, 0.3), description="noise levels of the potentials, ascending"
    )


# --- explicit form: convex potentials, told apart by `kind` ---

Signs = Literal["project", "softplus", "square"]


class DensePotential(StageConfig):
    """The published fully connected input-convex network, for vectors; its defaults are those of the 1-D example."""

    kind: Literal["dense"] = "dense"
    channels: int = Field(default=1, ge=1, description="length of the vectors")
    width: int = Field(default=50, ge=1, description="units of each hidden layer")
    hidden: int = Field(default=4, ge=0, description="hidden layers behind the first one")
    beta: float = Field(default=10.0, gt=0, description="sharpness of the softplus")
    alpha: float = Field(default=0.0, ge=0, description="alpha ||y||^2 is added: strong convexity 2 alpha")
    signs: Signs = Field(default="project", description="how weights are kept non-negative")


class PublishedPotential(StageConfig):
    """The published convolutional input-convex network, for images of one size."""

    kind: Literal["published"] = "published"
    channels: int = Field(default=1, ge=1, le=16, description=CHANNELS)
    size: tuple[PositiveInt, PositiveInt] = Field(default=(28, 28), description="rows and columns of an image, or of a patch")
    strides: tuple[Literal[1, 2], ...] = Field(default=(1, 2, 1, 2), min_length=1, description="stride of each 3 x 3 convolution")
    width: int = Field(default=64, ge=1, description="channels of each convolution")
    head: int = Field(default=64, ge=1, description="units of the layer that sees the whole image")
    biases: bool = Field(default=False, description="biases in the first and last layer (photographs)")
    beta: float = Field(default=10.0, gt=0, description="sharpness of the softplus")
    alpha: float = Field(default=0.01, ge=0, description="alpha ||y||^2 is added: strong convexity 2 alpha")
    signs: Signs = Field(default="project", description="how weights are kept non-negative")
    patch_stride: int | None = Field(
        default=None,
        ge=1,
        description="distance of patches of an image; null: none",
    )


class ConvolutionalPotential(StageConfig):
    """The workbench's fully convolutional potential: any size, all noise levels."""

    kind: Literal["convolutional"] = "convolutional"
    channels: int = Field(default=1, ge=1, le=16, description=CHANNELS)
    dimensions: Literal[2, 3] = Field(default=2, description="2 for images, 3 for volumes")
    window: int = Field(default=7, ge=1, le=15, description="odd window of the filters, which are window^dimensions")
    layers: int = Field(default=2, ge=2, le=8, description="nonlinear layers")
    mixing_window: int = Field(default=3, ge=1, le=7, description="odd window of the convolutions between layers")
    modulus: float = Field(default=0.02, gt=0, lt=1, description="strong convexity of psi, and its slope at infinity")
    saturation: float = Field(default=8.0, gt=0, description="response where the last layer turns linear")
    sigma_knots: tuple[PositiveFloat, ...] = Field(
        default=(0.01, 0.03, 0.1, 0.3),
        min_length=1,
        description="noise levels of the thresholds, ascending",
    )


# --- proximal matching and the low-dimensional study ---

GAMMA_LIMIT = 2.0


def check_gamma(gamma: float) -> float:
    """Return gamma where it can be a root mean square per pixel.

    Raises:
        ValueError: not above 0, or above 2: the published code gives gamma for the norm of the whole image.
    """
    if not 0 < gamma <= GAMMA_LIMIT:
        raise ValueError(
            f"gamma is {gamma:g}, expected above 0 and at most {GAMMA_LIMIT:g}: it counts the RMSE per pixel. If it was meant "
            "for the norm of a whole image of n values, use sciml.proximal.learning.matching.gamma_per_pixel(gamma, n)"
        )
    return gamma


class MatchingStage(StageConfig):
    """One stage of a training schedule."""

    loss: Literal["mse", "l1", "matching"] = Field(description="mean squared, mean absolute error, or proximal matching")
    gamma: float | None = Field(default=None, description="width of the matching loss, RMSE per pixel up to 2")
    steps: int = Field(ge=1, description="optimiser steps")
    learning_rate: float = Field(gt=0, description="largest learning rate of the stage")

    @model_validator(mode="after")
    def _gamma_fits(self) -> MatchingStage:
        if (self.gamma is not None) != (self.loss == "matching"):
            raise ValueError(f"gamma is {self.gamma} for the loss {self.loss}; matching needs one and the others have none")
        if self.gamma is not None:
            check_gamma(self.gamma)
        return self


def check_schedule(stages: tuple[MatchingStage, ...]) -> tuple[MatchingStage, ...]:
    """Return the stages of a schedule whose gammas fall.

    Raises:
        ValueError: there are none, matching comes before another loss, or a gamma is not below the one before.
    """
    if not stages:
        raise ValueError("a schedule needs one stage at least")
    for before, after in pairwise(stages):
        if before.gamma is not None and not (after.gamma is not None and after.gamma < before.gamma):
            raise ValueError(f"gamma {before.gamma:g} is followed by {after.gamma}; a schedule goes from coarse to fine")
    return stages


Schedule = Annotated[tuple[MatchingStage, ...], AfterValidator(check_schedule)]


def matching_schedule(
    gammas: tuple[float, ...], steps: int, learning_rate: float, warm_steps: int, warm_rate: float
) -> tuple[MatchingStage, ...]:
    """Return an absolute-error stage followed by matching at each gamma for `steps` steps."""
    warm = MatchingStage(loss="l1", steps=warm_steps, learning_rate=warm_rate)
    return (warm, *(MatchingStage(loss="matching", gamma=gamma, steps=steps, learning_rate=learning_rate) for gamma in gammas))


class SmallPotential(StageConfig):
    """A shallow input-convex network for one or two dimensions with its gradient in closed form."""

    kind: Literal["small"] = "small"
    dimension: int = Field(default=1, ge=1, le=8, description="length of the vectors")
    widths: tuple[int, ...] = Field(default=(64,), min_length=1, max_length=4, description="units of each hidden layer")
    reach: float = Field(default=4.0, gt=0, description="extent of the data, over which the units are spread at the start")


class PeerConfig(StageConfig):
    """A small denoiser without a certificate, for comparison."""

    kind: Literal["residual", "gradient_step"] = Field(default="residual", description="what it learns")
    channels: int = Field(default=1, ge=1, le=16, description=CHANNELS)
    width: int = Field(default=16, ge=1, description="channels of the hidden layers")
    depth: int = Field(default=5, ge=3, le=20, description="number of 3 x 3 convolutions")


class GuideConfig(StageConfig):
    """Thresholds of a trained regulariser by position."""

    kind: Literal["guide"] = "guide"
    width: int = Field(default=64, ge=1, le=256, description="hidden channels")
    depth: int = Field(default=8, ge=1, le=20, description="number of 3 x 3 convolutions")


class FramePotential(StageConfig):
    """The workbench's explicit form: grouped frame coefficients attenuated by their energy."""

    kind: Literal["frame"] = "frame"
    channels: int = Field(default=1, ge=1, le=16, description=CHANNELS)
    windows: tuple[tuple[PositiveInt, ...], ...] = Field(
        default=((7,), (7,)), min_length=1, description="odd windows of the filters of each level, which halves the grid"
    )
    modulus: float = Field(default=0.01, gt=0, lt=1, description="strong convexity of psi")
    slope: float = Field(default=0.999, gt=0, lt=1, description="slope at infinity, below 1 so that R has a minimum")
    boost: bool = Field(default=False, description="amplify large coefficients: to denoise only")
    sigma_knots: tuple[PositiveFloat, ...] = Field(
        default=(0.01, 0.03, 0.1, 0.3),
        min_length=1,
        description="noise levels of the gates, ascending",
    )


class SolverSchedule(StageConfig):
    """How far the solver goes in training, in each phase."""

    solver_steps: tuple[PositiveInt, ...] = Field(default=(10, 13, 16), description="gradients of the solver in each phase")
    adjoint_steps: tuple[PositiveInt, ...] = Field(default=(8, 9, 11), description="conjugate gradient steps in each phase")
    begins: tuple[NonNegativeFloat, ...] = Field(
        default=(0.0, 0.5, 0.8), description="share of the training where each phase begins"
    )

    def at(self, done: float) -> tuple[int, int]:
        """Return (solver steps, adjoint steps) when a share `done` of the training is over."""
        phase = sum(done >= begin for begin in self.begins) - 1
        return self.solver_steps[phase], self.adjoint_steps[phase]


Network = Annotated[
    RegularizerConfig | ConvolutionalPotential | PublishedPotential | FramePotential | GuideConfig | PeerConfig,
    Field(discriminator="kind"),
]
