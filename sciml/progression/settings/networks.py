"""Settings of the networks: their sizes, forms and training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from sciml.runtime.settings import StageConfig

STEPS = "optimiser steps; the learning rate falls over them"
BATCH = "images or pairs a step"
RATE = "largest learning rate, after the warm-up"
DECAY = "of AdamW, a step in parts of the learning rate"
MINUTES = "processor time after which the training ends, minutes"


class TrainingBudget(StageConfig):
    """How long and how to train one network."""

    steps: int = Field(ge=1, description=STEPS)
    batch_size: int = Field(ge=1, description=BATCH)
    learning_rate: float = Field(gt=0, description=RATE)
    warmup_steps: int = Field(default=20, ge=0, description="steps over which the learning rate rises")
    weight_decay: float = Field(default=0.0, ge=0, description=DECAY)
    ema_decay: float | None = Field(
        default=0.99, ge=0, lt=1, description="decay a step of the averaged weights; null keeps the last weights"
    )
    clip_norm: float | None = Field(default=1.0, gt=0, description="largest norm of a gradient; null clips none")
    bfloat16_on_gpu: bool = Field(default=False, description="compute in bfloat16 on a GPU")
    cpu_minutes: float | None = Field(default=None, gt=0, description=MINUTES)


class AutoencoderBudget(TrainingBudget):
    """How long and how to train the autoencoder."""

    steps: int = Field(default=10_000, ge=1, description=STEPS)
    batch_size: int = Field(default=2, ge=1, description=BATCH)
    learning_rate: float = Field(default=2e-3, gt=0, description=RATE)
    cpu_minutes: float | None = Field(default=60, gt=0, description=MINUTES)


class DiffusionBudget(TrainingBudget):
    """How long and how to train a diffusion model."""

    # chosen by the mean of eight chains on validation people; fewer people to train on bear fewer steps
    steps: int = Field(default=1_500, ge=1, description=STEPS)
    batch_size: int = Field(default=8, ge=1, description=BATCH)
    learning_rate: float = Field(default=1e-3, gt=0, description=RATE)
    weight_decay: float = Field(default=0.01, ge=0, description=DECAY)
    cpu_minutes: float | None = Field(default=40, gt=0, description=MINUTES)


class ControlBudget(DiffusionBudget):
    """How long and how to train a ControlNet."""

    steps: int = Field(default=2_000, ge=1, description=STEPS)
    cpu_minutes: float | None = Field(default=25, gt=0, description=MINUTES)


class AutoencoderConfig(StageConfig):
    """The autoencoder's network and its loss.

    The published network is `unshuffle` 1, channels (64, 128, 128, 128), two blocks, 32 groups.
    """

    unshuffle: int = Field(
        default=2, ge=1, le=4, description="voxels along each axis that become channels before the first layer"
    )
    channels: tuple[int, ...] = Field(
        default=(32, 64), min_length=1, description="of each level; each but the first halves the grid"
    )
    residual_blocks: int = Field(default=1, ge=1, description="a level")
    groups: int = Field(default=8, ge=1, description="of the normalisation")
    latent_channels: int = Field(default=3, ge=1, description="channels of the latent")
    mirrored: bool = Field(
        default=False, description="the network counts the first axis from right to left, as the published one"
    )
    initial_sd: float | None = Field(default=0.05, gt=0, description="of the posterior before training; null as the layer falls")
    l1_weight: float = Field(default=1.0, ge=0, description="weight of the mean absolute error")
    squared_weight: float = Field(default=2.0, ge=0, description="weight of the mean squared error")
    gradient_weight: float = Field(default=0.0, ge=0, description="of the L1 difference of the images' gradients")
    kl_weight: float = Field(default=1e-7, ge=0, description="of the divergence, summed over the latent")
    adversarial_weight: float = Field(default=0.0, ge=0, description="0 trains without a discriminator; published 0.025")
    discriminator_channels: int = Field(default=32, ge=1, description="channels of the discriminator's first layer")
    discriminator_layers: int = Field(default=3, ge=1, description="layers of the discriminator that halve the grid")

    @model_validator(mode="after")
    def _divisible(self) -> AutoencoderConfig:
        if wrong := [width for width in self.channels if width % self.groups]:
            raise ValueError(f"channels {wrong[0]} is no multiple of groups ({self.groups})")
        return self

    @property
    def factor(self) -> int:
        """Return how many voxels along an axis make one of the latent."""
        return self.unshuffle * 2 ** (len(self.channels) - 1)


class UNetConfig(StageConfig):
    """The network that removes noise from latents; the ControlNet has the same body.

    Published: channels (256, 512, 768), two blocks, attention on the last two levels with one head each, 32 groups.
    """

    channels: tuple[int, ...] = Field(default=(32, 64), min_length=1)
    residual_blocks: int = Field(default=1, ge=1, description="a level")
    attention: tuple[bool, ...] = Field(default=(False, True), description="levels with attention and cross-attention")
    head_channels: tuple[int, ...] = Field(default=(0, 64), description="channels of a head at each level; 0 without attention")
    groups: int = Field(default=16, ge=1)

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
    """What the diffusion model predicts, from what: one switch for each difference between the official and the residual form."""

    target: Literal["change", "followup"] = Field(
        default="change", description="(z_B - z_A) / sd of it, or z_B itself as published"
    )
    prediction: Literal["v_prediction", "epsilon"] = Field(default="v_prediction", description="published: epsilon")
    anatomy: Literal["concatenation", "controlnet"] = Field(
        default="concatenation", description="how z_A enters: beside the noisy latent, or by a ControlNet as published"
    )
    context: Literal["change", "followup"] = Field(
        default="change", description="covariates at B and 10 times their change, or those at B alone as published"
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

    network: AutoencoderConfig = Field(default_factory=AutoencoderConfig)
    budget: AutoencoderBudget = AutoencoderBudget()
    validation_images: int = Field(default=12, ge=1, description="scans of validation subjects that the history measures")


class DiffusionTraining(StageConfig):
    """One form of the diffusion model and its training."""

    form: FormConfig = Field(default_factory=FormConfig)
    network: UNetConfig = Field(default_factory=UNetConfig)
    budget: DiffusionBudget = DiffusionBudget()


class ControlTraining(StageConfig):
    """Training of the ControlNet of a form that has one; network and form are those of the diffusion model that it steers."""

    budget: ControlBudget = ControlBudget()
