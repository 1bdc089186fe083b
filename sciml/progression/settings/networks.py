"""Settings of the networks: their sizes, forms and training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from sciml.runtime.settings import StageConfig, in_parts


class TrainingBudget(StageConfig):
    """How a network is trained; what a settings file leaves out is that of its own budget."""

    model_config = ConfigDict(json_schema_extra=in_parts)

    steps: int = Field(ge=1, description="optimiser steps")
    batch_size: int = Field(ge=1, description="images or pairs a step")
    learning_rate: float = Field(gt=0, description="largest learning rate, after the warm-up")
    warmup_steps: int = Field(default=20, ge=0, description="steps over which the learning rate rises")
    weight_decay: float = Field(default=0.0, ge=0, description="of AdamW, a step in parts of the learning rate")
    ema_decay: float | None = Field(
        default=0.99, ge=0, lt=1, description="decay of the averaged weights; null keeps the last ones"
    )
    clip_norm: float | None = Field(default=1.0, gt=0, description="largest norm of a gradient; null clips none")
    bfloat16_on_gpu: bool = Field(default=False, description="compute in bfloat16 on a GPU")
    cpu_minutes: float | None = Field(default=None, gt=0, description="processor time that ends the training, minutes")


AUTOENCODER_BUDGET = TrainingBudget(steps=10_000, batch_size=2, learning_rate=2e-3, cpu_minutes=60)
# chosen by the mean of eight chains on validation subjects; fewer subjects to train on bear fewer steps
DIFFUSION_BUDGET = TrainingBudget(steps=1_500, batch_size=8, learning_rate=1e-3, weight_decay=0.01, cpu_minutes=40)
CONTROL_BUDGET = DIFFUSION_BUDGET.model_copy(update={"steps": 2_000, "cpu_minutes": 25})


def _changes(own: TrainingBudget) -> BeforeValidator:
    """Return what lays the values of a settings file over a network's own budget."""
    return BeforeValidator(lambda given: {**own.model_dump(), **given} if isinstance(given, Mapping) else given)


class AutoencoderSettings(StageConfig):
    """The autoencoder's network and its loss."""

    retired = frozenset({
        "latent_channels", "mirrored", "initial_sd", "l1_weight", "squared_weight", "kl_weight", "discriminator_channels",
        "discriminator_layers",
    })  # fmt: skip
    unshuffle: int = Field(default=2, ge=1, le=4, description="voxels along an axis that become channels")
    channels: tuple[PositiveInt, ...] = Field(
        default=(32, 64), min_length=1, description="of each level; each but the first halves the grid"
    )
    residual_blocks: int = Field(default=1, ge=1, description="a level")
    groups: int = Field(default=8, ge=1, description="of the normalisation")
    gradient_weight: float = Field(default=0.0, ge=0, description="weight of the L1 error of the image's gradients")
    adversarial_weight: float = Field(default=0.0, ge=0, description="weight of the discriminator, published 0.025; 0: none")

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if wrong := [width for width in self.channels if width % self.groups]:
            raise ValueError(f"channels {wrong[0]} is no multiple of groups ({self.groups})")
        return self


class AutoencoderConfig(AutoencoderSettings):
    """The autoencoder's network and its loss, all of them: what a model file says.

    The published network is `unshuffle` 1, channels (64, 128, 128, 128), two blocks, 32 groups.
    """

    retired = frozenset()
    latent_channels: int = Field(default=3, ge=1, description="channels of the latent")
    mirrored: bool = Field(default=False, description="the first axis counts from right to left, as published")
    initial_sd: float | None = Field(default=0.05, gt=0, description="std of the posterior before training; null: as it falls")
    l1_weight: float = Field(default=1.0, ge=0, description="weight of the mean absolute error")
    squared_weight: float = Field(default=2.0, ge=0, description="weight of the mean squared error")
    kl_weight: float = Field(default=1e-7, ge=0, description="weight of the divergence, summed over the latent")
    discriminator_channels: int = Field(default=32, ge=1, description="channels of the discriminator's first layer")
    discriminator_layers: int = Field(default=3, ge=1, description="halving layers of the discriminator")

    @property
    def factor(self) -> int:
        """Return how many voxels along an axis make one of the latent."""
        return self.unshuffle * 2 ** (len(self.channels) - 1)


class UNetConfig(StageConfig):
    """The network that removes noise from latents; the ControlNet has the same body.

    Published: channels (256, 512, 768), two blocks, attention on the last two levels with one head each, 32 groups.
    """

    channels: tuple[PositiveInt, ...] = Field(default=(32, 64), min_length=1, description="channels of each level")
    residual_blocks: int = Field(default=1, ge=1, description="a level")
    attention: tuple[bool, ...] = Field(default=(False, True), description="levels with attention and cross-attention")
    head_channels: tuple[NonNegativeInt, ...] = Field(
        default=(0, 64), description="channels of a head at each level; 0 without attention"
    )
    groups: int = Field(default=16, ge=1, description="of the normalisation")

    @model_validator(mode="after")
    def _consistent(self) -> UNetConfig:
        if not len(self.channels) == len(self.attention) == len(self.head_channels):
            raise ValueError(f"channels, attention and head_channels have {len(self.channels)}, {len(self.attention)} and "
                             f"{len(self.head_channels)} levels, expected the same number")  # fmt: skip
        if wrong := [width for width in self.channels if width % self.groups]:
            raise ValueError(f"channels {wrong[0]} is no multiple of groups ({self.groups})")
        return self

    @property
    def multiple(self) -> int:
        """Return what the latent's sides must be a multiple of."""
        return 2 ** (len(self.channels) - 1)


class FormConfig(StageConfig):
    """What the diffusion model predicts, and from what."""

    target: Literal["change", "followup"] = Field(
        default="change", description="(z_B - z_A) / sd of it, or z_B itself as published"
    )
    prediction: Literal["v_prediction", "epsilon"] = Field(default="v_prediction", description="published: epsilon")
    anatomy: Literal["concatenation", "controlnet"] = Field(
        default="concatenation", description="z_A enters beside the noisy latent, or by a ControlNet as published"
    )
    context: Literal["change", "followup"] = Field(
        default="change", description="covariates at B and 10 times their change, or at B alone as published"
    )


PUBLISHED_AUTOENCODER = AutoencoderConfig(
    unshuffle=1, channels=(64, 128, 128, 128), residual_blocks=2, groups=32, mirrored=True, initial_sd=None,
    l1_weight=1.0, squared_weight=0.0, adversarial_weight=0.025,
)  # fmt: skip
PUBLISHED_UNET = UNetConfig(
    channels=(256, 512, 768), residual_blocks=2, attention=(False, True, True), head_channels=(0, 512, 768), groups=32
)
FORMS = {
    "residual": FormConfig(),
    "official": FormConfig(target="followup", prediction="epsilon", anatomy="controlnet", context="followup"),
}


class AutoencoderTraining(StageConfig):
    """The autoencoder and its training."""

    network: AutoencoderSettings = Field(default_factory=AutoencoderSettings)
    budget: Annotated[TrainingBudget, _changes(AUTOENCODER_BUDGET)] = Field(
        default=AUTOENCODER_BUDGET, description="by default 10000 steps of 2 images, 60 minutes"
    )
    validation_images: int = Field(default=12, ge=1, description="validation scans of the history")


class DiffusionTraining(StageConfig):
    """One form of the diffusion model and its training."""

    form: FormConfig = Field(default_factory=FormConfig)
    network: UNetConfig = Field(default_factory=UNetConfig)
    budget: Annotated[TrainingBudget, _changes(DIFFUSION_BUDGET)] = Field(
        default=DIFFUSION_BUDGET, description="by default 1500 steps of 8 pairs, 40 minutes"
    )


class ControlTraining(StageConfig):
    """Training of the ControlNet, of the network and form of the model that it steers."""

    budget: Annotated[TrainingBudget, _changes(CONTROL_BUDGET)] = Field(
        default=CONTROL_BUDGET, description="by default 2000 steps of 8 pairs, 25 minutes"
    )
