"""Settings of what is learned: pictures of a domain and their models, the network behind the decoder, the neural preset."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, model_validator

from sciml.compression.settings.domains import SourceConfig
from sciml.runtime.settings import StageConfig

Words = Annotated[int, Field(ge=2, le=2**15)]
# learning rate of the network behind the decoder at first; three times this makes it go dead
NETWORK_RATE = 5e-4
# about 1.45 apart, in units of the span: from 0.07 bits per pixel to 1 even where a picture is smooth
STEPS = (0.85, 0.58, 0.4, 0.28, 0.19, 0.13, 0.09, 0.06, 0.041, 0.028)
# a factor 2 apart, so that the models stay small; slices and fields are smooth and worth finer steps
MR_STEPS = (0.5, 0.22, 0.1, 0.045, 0.02)
# enlarged slices too: volumes come at many resolutions
MR_CROPS = {0.5: 2, 0.75: 1, 1.0: 1, 1.5: 1}
CT_CROPS = {0.75: 1, 1.0: 1, 2.0: 1}
FIELD_STEPS = (0.6, 0.3, 0.15, 0.075, 0.0375, 0.019, 0.0095)
# black and white of CT, Hounsfield units: air to dense bone
CT_WINDOW = (-1000.0, 1000.0)
# in place of a name in the data splits: fields of this study's own simulations
RUNS = "runs"


class DomainConfig(SourceConfig):
    """Pictures of one kind, and what is learned from them."""

    steps: tuple[float, ...] = Field(default=STEPS, min_length=1, description="quantiser steps in units of the span, falling")
    crop_size: int = Field(default=384, ge=32, multiple_of=16, description="side of a crop in pixels")
    crops: dict[float, int] = Field(default={1.0: 4, 1.5: 2, 2.0: 1}, description="crops of a picture, by reduction of its size")

    @model_validator(mode="after")
    def _falling(self) -> DomainConfig:
        if any(finer >= coarser for coarser, finer in zip(self.steps, self.steps[1:], strict=False)) or self.steps[-1] <= 0:
            raise ValueError(f"steps are {self.steps}: expected falling ones above 0")
        return self


class NetworkConfig(StageConfig):
    """The network behind the decoder, and its training."""

    width: int = Field(default=96, ge=4, le=1024, description="channels of its convolutions")
    depth: int = Field(default=3, ge=1, le=3, description="residual blocks")
    coded_at: tuple[PositiveFloat, ...] = Field(
        default=(0.75, 0.5, 0.34, 0.24, 0.16, 0.11, 0.07),
        min_length=1,
        description="quantiser steps to learn from, in units of the span",
    )
    crop_size: int = Field(default=160, ge=32, multiple_of=16, description="side of a training part in pixels")
    batch: int = Field(default=8, ge=1, description="training parts in a step")
    steps: int = Field(default=9_000, ge=1, description="training steps")
    cpu_minutes: float | None = Field(default=90, gt=0, description="processor time that ends the training, minutes")


class CascadeConfig(StageConfig):
    """What builds the networks of a neural model."""

    preset: Literal["small", "published"] = Field(default="small", description="published: the paper's networks")
    width: int = Field(default=64, ge=4, le=1024, description="channels of the convolutions")
    groups: int = Field(default=2, ge=1, le=1024, description="codebooks of a level, published networks only")
    words: tuple[Words, Words, Words] = Field(default=(64, 64, 128), description="words of a codebook at strides 64, 32 and 16")


class NeuralConfig(StageConfig):
    """The neural preset, and its training."""

    cascade: CascadeConfig = Field(default_factory=CascadeConfig, description="what builds its networks")
    crops: dict[float, int] = Field(
        default={1.0: 4, 1.5: 4, 2.0: 3, 3.0: 2, 4.0: 1}, description="crops of a picture, by reduction of its size"
    )
    crop_size: int = Field(default=384, ge=64, multiple_of=64, description="side of a crop in pixels")
    step: float = Field(default=0.3, ge=0, lt=2, description="in units of the span; a bit costs 0.15 squared steps; 0: no rate")
    estimator: Literal["straight-through", "gumbel"] = Field(
        default="straight-through", description="gradients through the choice of words"
    )
    part: int = Field(default=128, ge=64, multiple_of=64, description="side of what a step learns from, in pixels")
    batch: int = Field(default=8, ge=1, description="training parts in a step")
    rate: float = Field(default=1e-3, gt=0, le=1, description="learning rate at first")
    steps: int = Field(default=2_500, ge=1, description="training steps")
    revive_every: int = Field(default=200, ge=1, description="steps between revivals of dead words")
    cpu_minutes: float | None = Field(default=30, gt=0, description="processor time that ends the training, minutes")

    @model_validator(mode="after")
    def _consistent(self) -> NeuralConfig:
        if self.part > self.crop_size:
            raise ValueError(f"part is {self.part}: expected at most crop_size, {self.crop_size}")
        if self.cascade.preset == "small" and self.step == 0:
            raise ValueError("step is 0: the small networks weigh a rate, give a step above 0")
        return self


def default_domains() -> dict[str, DomainConfig]:
    """Return the domains of the study."""
    return {
        "photo": DomainConfig(),
        "mr": DomainConfig(kind="slices", experiment="compression-mr", channels=4, steps=MR_STEPS, crop_size=128, crops=MR_CROPS),
        "ct": DomainConfig(
            kind="slices",
            experiment="compression-ct",
            channels=4,
            steps=MR_STEPS,
            crop_size=128,
            crops=CT_CROPS,
            window=CT_WINDOW,
        ),
        "field": DomainConfig(
            kind="fields",
            experiment=RUNS,
            channels=1,
            steps=FIELD_STEPS,
            crop_size=128,
            crops={1.0: 4},
            periodic=True,
            begin=8,
        ),
    }


def default_networks() -> dict[str, NetworkConfig]:
    """Return the networks of the study; that of fields is small, so that it stays fast.

    Slices have none: one that learned from the smooth templates lost half a decibel on the validation volume.
    """
    return {
        "photo": NetworkConfig(),
        "field": NetworkConfig(
            width=32, depth=2, coded_at=(0.5, 0.3, 0.18, 0.1, 0.06, 0.035, 0.02), crop_size=64, batch=16, steps=4_000
        ),
    }
