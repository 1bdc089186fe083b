"""Settings of learned proximal networks, one model a stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sciml.runtime.settings import StageConfig


class RegularizerConfig(StageConfig):
    """Structure of the implicit form: a weakly convex regulariser of grouped filter responses."""

    channels: int = Field(default=1, ge=1, le=16, description="channels of the images; 3 for colour")
    windows: tuple[tuple[int, ...], ...] = Field(default=((7,),), description="odd window sizes of the filters of each level")
    weak_convexity: float = Field(default=0.97, gt=0, lt=1, description="largest allowed rho; the prox is unique below 1")
    curvature: float = Field(default=20.0, gt=1, description="largest allowed curvature of R, its Lipschitz constant")
    sigma_knots: tuple[float, ...] = Field(
        default=(0.01, 0.03, 0.1, 0.3), description="noise levels between which the potentials are interpolated, ascending"
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
    """The published convolutional input-convex network, for images of one size; its defaults are those of the digits."""

    kind: Literal["published"] = "published"
    channels: int = Field(default=1, ge=1, le=16)
    size: tuple[int, int] = Field(default=(28, 28), description="rows and columns of an image, or of a patch")
    strides: tuple[Literal[1, 2], ...] = Field(default=(1, 2, 1, 2), min_length=1, description="stride of each 3 x 3 convolution")
    width: int = Field(default=64, ge=1, description="channels of each convolution")
    head: int = Field(default=64, ge=1, description="units of the layer that sees the whole image")
    biases: bool = Field(default=False, description="whether the first and the last layer have biases (photographs: yes)")
    beta: float = Field(default=10.0, gt=0, description="sharpness of the softplus")
    alpha: float = Field(default=0.01, ge=0, description="alpha ||y||^2 is added: strong convexity 2 alpha")
    signs: Signs = Field(default="project", description="how weights are kept non-negative")
    patch_stride: int | None = Field(
        default=None,
        ge=1,
        description="distance of the patches that cover an image of any size; None: images have the size itself",
    )


class ConvolutionalPotential(StageConfig):
    """The workbench's fully convolutional potential: any size, any number of channels, all noise levels in one network."""

    kind: Literal["convolutional"] = "convolutional"
    channels: int = Field(default=1, ge=1, le=16)
    dimensions: Literal[2, 3] = Field(default=2, description="2 for images, 3 for volumes")
    window: int = Field(
        default=7, ge=1, le=15, description="odd window of the filters; there are window^dimensions channels of them"
    )
    layers: int = Field(default=2, ge=2, le=8, description="nonlinear layers")
    mixing_window: int = Field(default=3, ge=1, le=7, description="odd window of the non-negative convolutions between layers")
    modulus: float = Field(default=0.02, gt=0, lt=1, description="strong convexity of psi, and its slope at infinity")
    saturation: float = Field(
        default=8.0, gt=0, description="response at which the last layer turns linear, far above any image's"
    )
    sigma_knots: tuple[float, ...] = Field(
        default=(0.01, 0.03, 0.1, 0.3),
        min_length=1,
        description="noise levels between which thresholds are interpolated, ascending",
    )


PotentialConfig = DensePotential | PublishedPotential | ConvolutionalPotential
