"""What the stages of the family read that are not in `lossless` or `vectors`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt

from sciml.compression.settings.domains import SourceConfig
from sciml.compression.settings.models import DomainConfig, NetworkConfig, NeuralConfig
from sciml.runtime.settings import DataConfig, DataTier, StageConfig

# of the ablations: crops of each training picture by reduction of its size, steps of the fits, and steps that lie between them
ABLATION_CROPS = {1.0: 2}
ABLATION_STEPS = (0.58, 0.4, 0.28, 0.19)
ABLATION_BETWEEN = (0.48, 0.335, 0.23, 0.156)


class FitConfig(DomainConfig, DataConfig):
    """What `fit` reads: rules and tables of one domain."""

    domain: str
    data_tier: DataTier
    seed: int


class TrainConfig(NetworkConfig, DataConfig):
    """What `train` reads: the network of one domain."""

    domain: str
    data: FitConfig


class TrainNeuralConfig(NeuralConfig, DataConfig):
    """What `train-neural` reads: the neural model of one domain."""

    domain: str
    experiment: str
    data_tier: DataTier
    seed: int


class EvaluateConfig(SourceConfig, DataConfig):
    """What `evaluate` reads: our models beside the classical codecs on the test pictures of one domain."""

    domain: str
    role: Literal["validation", "test"]
    data_tier: DataTier
    qualities: tuple[float, ...]
    neural_qualities: tuple[float, ...]
    pictures: int | None
    seed: int


class JudgeConfig(DataConfig):
    """What `judge` reads: on which crops of photographs codecs are judged.

    Attributes:
        measured: `all`, or `again`: the measurement that came with the model, of which a sample is measured again.
    """

    data_tier: DataTier
    codecs: tuple[str, ...]
    neural_qualities: tuple[float, ...]
    photographs: int | None
    measured: Literal["all", "again"]
    seed: int


class AblateConfig(DataConfig):
    """What `ablate` reads: on what the parts of the codec are measured.

    Attributes:
        crops: crops of each training picture, by reduction of its size.
        steps: quantiser steps at which variants are fitted, in units of the span.
        between: steps at which shared tables are compared with own ones; each lies beside one of `steps`.
    """

    crops: dict[float, int] = ABLATION_CROPS
    steps: tuple[float, ...] = Field(default=ABLATION_STEPS, min_length=4)
    between: tuple[float, ...] = Field(default=ABLATION_BETWEEN, min_length=4)
    experiment: str
    channels: int
    crop_size: int
    data_tier: DataTier
    seed: int


class ViewConfig(StageConfig):
    """What the page shows of one picture, in pixels from its top left corner."""

    window: tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt, NonNegativeInt] = Field(
        description="top, left, height, width of the part shown"
    )
    zoom: tuple[NonNegativeInt, NonNegativeInt] = Field(description="top, left of the part enlarged")
    shows: str = Field(description="the enlarged part in words")


class InspectConfig(DataConfig):
    """What `inspect` reads: where the bits of one domain's model go, and what its pictures look like."""

    domain: str
    experiment: str
    role: Literal["validation", "test"]
    channels: int
    data_tier: DataTier
    qualities: tuple[float, ...] = Field(min_length=1, description="at which bits are counted; the middle one is shown")
    rate_bpp: float = Field(gt=0, description="near which codecs are shown at equal bytes")
    views: dict[str, ViewConfig] = Field(description="by picture")
    seed: int


class VolumesAndFieldsConfig(SourceConfig, DataConfig):
    """What `volumes_and_fields` reads: a model beside JPEG 2000 and the photo model at equal bytes, and the physics of fields."""

    domain: str
    role: Literal["validation", "test"]
    data_tier: DataTier
    pictures: int = Field(ge=1, description="that are shown, spread over the test pictures")
    rate_bpp: float = Field(gt=0, description="at which they are shown")
    ratios: tuple[float, ...] = Field(description="fields: how many times smaller than float32 their spectra are judged")
    length: float = Field(gt=0, description="side of the fields' square")


class ShowConfig(StageConfig):
    """What `show` reads: the look at every domain's model, by domain."""

    inspect: dict[str, InspectConfig]
    volumes_and_fields: dict[str, VolumesAndFieldsConfig]


class PageConfig(StageConfig):
    """What `report` reads."""

    tier: str
    domains: tuple[str, ...]
    networks: tuple[str, ...] = Field(default=(), description="domains with a network")
    neural: tuple[str, ...] = Field(default=(), description="domains with a neural model")
    weights: Literal["shipped", "trained"]
    data_tier: DataTier = "default"
