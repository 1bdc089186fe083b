"""Settings of the family and of its stages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from sciml.compression.settings.domains import FlowRunsConfig, SourceConfig
from sciml.compression.settings.lossless import CompareLosslessConfig, FitLosslessConfig, LosslessConfig
from sciml.compression.settings.vectors import CompareVectorsConfig, FitVectorsConfig, VectorsConfig
from sciml.runtime.errors import ConfigError
from sciml.runtime.settings import DataConfig, DataTier, StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings

# the domain whose codec is taken apart, and in which vectors are compared with scalar symbols
MAIN = "photo"
# of the ablations: crops of each training picture by reduction of its size, steps of the fits, and steps that lie between them
ABLATION_CROPS = {1.0: 2}
ABLATION_STEPS = (0.58, 0.4, 0.28, 0.19)
ABLATION_BETWEEN = (0.48, 0.335, 0.23, 0.156)
# what ours is judged beside, on crops of photographs that nothing was learned from
JudgedCodec = Literal["jpeg", "webp", "jpegxl", "avif", "avif-444", "avif-3", "avif-0", "hevc-444"]
JUDGED: tuple[JudgedCodec, ...] = get_args(JudgedCodec)
# bits a pixel near which photographs are shown at equal bytes
SHOWN_BPP = 0.22
# learning rate of the network behind the decoder at first; three times this makes it go dead
NETWORK_RATE = 5e-4
# about 1.45 apart, in units of the span: from 0.07 to above 1.5 bits per pixel
Qualities = tuple[Annotated[float, Field(ge=1, le=100)], ...]
Words = Annotated[int, Field(ge=2, le=2**15)]
STEPS = (0.85, 0.58, 0.4, 0.28, 0.19, 0.13, 0.09, 0.06)
# a factor 2 apart, so that the models stay small; slices and fields are smooth and worth finer steps
MR_STEPS = (0.5, 0.22, 0.1, 0.045, 0.02)
# enlarged slices too: volumes come at many resolutions
MR_CROPS = {0.5: 2, 0.75: 1, 1.0: 1, 1.5: 1}
FIELD_STEPS = (0.6, 0.3, 0.15, 0.075, 0.0375, 0.019, 0.0095)
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

    width: int = Field(default=64, ge=4, le=1024, description="channels of its convolutions")
    depth: int = Field(default=2, ge=1, le=3, description="residual blocks")
    coded_at: tuple[PositiveFloat, ...] = Field(
        default=(0.7, 0.48, 0.34, 0.24, 0.16, 0.1),
        min_length=1,
        description="quantiser steps to learn from, in units of the span",
    )
    crop_size: int = Field(default=112, ge=32, multiple_of=16, description="side of a training part in pixels")
    batch: int = Field(default=8, ge=1, description="training parts in a step")
    steps: int = Field(default=8_000, ge=1, description="training steps")
    cpu_minutes: float | None = Field(default=60, gt=0, description="processor time that ends the training, minutes")


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


def default_domains() -> dict[str, DomainConfig]:
    """Return the domains of the study."""
    return {
        "photo": DomainConfig(),
        "mr": DomainConfig(kind="slices", experiment="compression-mr", channels=1, steps=MR_STEPS, crop_size=128, crops=MR_CROPS),
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
        "field": NetworkConfig(width=32, coded_at=(0.5, 0.3, 0.18, 0.1, 0.06, 0.035, 0.02), crop_size=64, batch=16, steps=4_000),
    }


def default_views() -> dict[str, dict[str, ViewConfig]]:
    """Return what is shown of the photographs: fine stripes, hard edges, letters and digits."""
    return {
        "photo": {
            "barbara": ViewConfig(window=(230, 254, 272, 320), zoom=(395, 350), shows="texture"),
            "monarch": ViewConfig(window=(110, 400, 272, 320), zoom=(145, 575), shows="edges"),
            "sail": ViewConfig(window=(240, 200, 272, 320), zoom=(428, 280), shows="letters and digits"),
        }
    }


class Config(StageConfig):
    """Learned image compression: rules and tables by domain, a network behind the decoder, the bench."""

    domains: dict[str, DomainConfig] = Field(default_factory=default_domains, description="kinds of pictures, by name")
    networks: dict[str, NetworkConfig] = Field(
        default_factory=default_networks, description="networks behind the decoder, by domain"
    )
    neural: dict[str, NeuralConfig] = Field(
        default_factory=lambda: {"photo": NeuralConfig()}, description="neural models, by domain"
    )
    lossless: LosslessConfig = Field(default_factory=LosslessConfig)
    qualities: Qualities = Field(
        default=(6, 14, 22, 30, 40, 50, 60, 70, 80, 92),
        min_length=4,
        description="qualities of our models on the bench, 1 to 100",
    )
    neural_qualities: Qualities = Field(
        default=(5, 15, 25, 35, 50),
        min_length=1,
        description="qualities of the neural models, 1 to 100",
    )
    test_pictures: int | None = Field(default=None, ge=1, description="test pictures of the bench; all by default")
    judged_photographs: int | None = Field(default=None, ge=1, description="photographs, a crop of each; all crops by default")
    judged_codecs: tuple[JudgedCodec, ...] = Field(
        default=JUDGED, min_length=1, description="codecs beside ours; avif-0 is the slowest"
    )
    weights: Literal["shipped", "trained"] = Field(default="trained", description="models on the bench")
    inspected: Qualities = Field(default=(15, 35, 60), min_length=1, description="qualities whose bits the page counts")
    views: dict[str, dict[str, ViewConfig]] = Field(
        default_factory=default_views, description="parts of pictures on the page, by domain and name"
    )
    vectors: dict[str, VectorsConfig] = Field(
        default_factory=lambda: {"photo-vector": VectorsConfig()},
        description="vectors beside scalars, by name",
    )
    compared: Qualities = Field(default=(10, 25, 40, 55, 70, 85), min_length=4, description="qualities of vectors and scalars")
    compared_pictures: int | None = Field(default=None, ge=1, description="validation pictures to compare on; all by default")
    lossless_pictures: int | None = Field(default=None, ge=1, description="of a domain, coded without loss; all by default")
    simulations: FlowRunsConfig = Field(default_factory=FlowRunsConfig, description="runs that fields are from")
    volumes_and_fields_tested: int = Field(default=12, ge=1, description="test slices and fields, compared")
    volumes_and_fields_pictures: int = Field(default=3, ge=1, description="slices and fields on the page, a domain")
    volumes_and_fields_bpp: float = Field(default=0.25, gt=0, description="bits a pixel of what is shown")
    volumes_and_fields_ratios: tuple[PositiveFloat, ...] = Field(
        default=(20, 50), min_length=1, description="times smaller than float32, for spectra"
    )

    @model_validator(mode="before")
    @classmethod
    def _former(cls, values: Any) -> Any:
        """Take settings by their names of earlier versions too."""
        if not isinstance(values, dict):
            return values
        return {re.sub("^apart_", "volumes_and_fields_", name): value for name, value in values.items()}

    @model_validator(mode="after")
    def _known(self) -> Config:
        if strange := (set(self.networks) | set(self.neural)) - set(self.domains):
            raise ValueError(f"there are networks for {', '.join(sorted(strange))}, but no such domain")
        if grey := [name for name in self.neural if self.domains[name].channels != 3]:
            raise ValueError(f"there is a neural model for {', '.join(grey)}, which has no colours")
        if self.vectors and MAIN not in self.domains:
            raise ValueError(f"vectors are compared in the domain {MAIN}, which is not there: add it or set vectors to {{}}")
        return self

    def fit_config(self, run: RunSettings, domain: str) -> FitConfig:
        """Return the slice of one domain's rules and tables."""
        return FitConfig(
            **self.domains[domain].model_dump(), domain=domain, data_tier=run.data_tier, seed=run.master_seed,
            digests=self.digests(run, domain, "train"),
        )  # fmt: skip

    def train_config(self, run: RunSettings, domain: str) -> TrainConfig:
        """Return the slice of one domain's network."""
        return TrainConfig(
            **self.networks[domain].model_dump(), domain=domain, data=self.fit_config(run, domain),
            digests=self.digests(run, domain, "train", "validation"),
        )  # fmt: skip

    def train_neural_config(self, run: RunSettings, domain: str) -> TrainNeuralConfig:
        """Return the slice of one domain's neural model."""
        own = self.neural[domain].model_dump()
        experiment = self.domains[domain].experiment
        return TrainNeuralConfig(
            **own, domain=domain, experiment=experiment, data_tier=run.data_tier, seed=run.master_seed,
            digests=self.digests(run, domain, "train", "validation"),
        )  # fmt: skip

    def evaluate_config(self, run: RunSettings, domain: str) -> EvaluateConfig:
        """Return the slice of one domain's bench."""
        return EvaluateConfig(
            **self.source(domain), domain=domain, role="test", data_tier=run.data_tier, qualities=self.qualities,
            neural_qualities=self.neural_qualities,
            pictures=self.test_pictures if self.domains[domain].kind == "pictures" else self.volumes_and_fields_tested,
            seed=run.master_seed,
            digests=self.digests(run, domain, "test"),
        )  # fmt: skip

    def judge_config(self, run: RunSettings) -> JudgeConfig:
        """Return the slice of the crops that judge."""
        from sciml.datasets.splits import split_digests

        return JudgeConfig(
            data_tier=run.data_tier, codecs=self.judged_codecs, neural_qualities=self.neural_qualities,
            photographs=self.judged_photographs, measured="again" if self.weights == "shipped" else "all", seed=run.master_seed,
            digests=split_digests("photo-crops", run.data_tier, "test"),
        )  # fmt: skip

    def volumes_and_fields_config(self, run: RunSettings, domain: str) -> VolumesAndFieldsConfig:
        """Return the slice of the look at slices or fields of one domain."""
        return VolumesAndFieldsConfig(
            **self.source(domain), domain=domain, role="test", data_tier=run.data_tier, pictures=self.volumes_and_fields_pictures,
            rate_bpp=self.volumes_and_fields_bpp, ratios=self.volumes_and_fields_ratios, length=self.simulations.length,
            digests=self.digests(run, domain, "test"),
        )  # fmt: skip

    def digests(self, run: RunSettings, domain: str, *chosen: str) -> dict[str, str]:
        """Return SHA-256 by entry of the declared data of some roles of a domain; simulated runs and folders have none."""
        from sciml.datasets.splits import split_digests

        return split_digests(self.domains[domain].experiment, run.data_tier, *chosen)

    def source(self, domain: str) -> dict[str, Any]:
        """Return what a domain's pictures are, as values."""
        return self.domains[domain].model_dump(include=set(SourceConfig.model_fields))

    def inspect_config(self, run: RunSettings, domain: str) -> InspectConfig:
        """Return the slice of the look inside one domain's model."""
        settings = self.domains[domain]
        return InspectConfig(
            domain=domain, experiment=settings.experiment, role="test", channels=settings.channels, data_tier=run.data_tier,
            qualities=self.inspected, rate_bpp=SHOWN_BPP, views=self.views.get(domain, {}), seed=run.master_seed,
            digests=self.digests(run, domain, "test"),
        )  # fmt: skip

    def show_config(self, run: RunSettings) -> ShowConfig:
        """Return the slices of the looks at all domains."""
        pictures = [name for name in self.domains if self.domains[name].kind == "pictures"]
        return ShowConfig(
            inspect={name: self.inspect_config(run, name) for name in pictures},
            volumes_and_fields={name: self.volumes_and_fields_config(run, name) for name in self.domains if name not in pictures},
        )

    def ablate_config(self, run: RunSettings) -> AblateConfig:
        """Return the slice of the study of the codec's parts."""
        settings = self.domains.get(MAIN)
        if settings is None:
            raise ConfigError(f"the codec's parts are measured in the domain {MAIN}, which is not there: add it")
        return AblateConfig(
            experiment=settings.experiment, channels=settings.channels, crop_size=settings.crop_size, data_tier=run.data_tier,
            seed=run.master_seed, digests=self.digests(run, MAIN, "train", "validation"),
        )  # fmt: skip

    def fit_vectors_config(self, run: RunSettings, structure: str) -> FitVectorsConfig:
        """Return the slice of one structure of vectors."""
        settings = self.domains[MAIN]
        return FitVectorsConfig(
            **self.vectors[structure].model_dump(), name=structure, experiment=settings.experiment, channels=settings.channels,
            crop_size=settings.crop_size, crops=settings.crops, data_tier=run.data_tier, seed=run.master_seed,
            digests=self.digests(run, MAIN, "train"),
        )  # fmt: skip

    def compare_vectors_config(self, run: RunSettings) -> CompareVectorsConfig:
        """Return the slice of the comparison of vectors with scalars."""
        settings = self.domains[MAIN]
        return CompareVectorsConfig(
            experiment=settings.experiment, role="validation", channels=settings.channels, data_tier=run.data_tier,
            qualities=self.compared, pictures=self.compared_pictures, seed=run.master_seed,
            digests=self.digests(run, MAIN, "validation"),
        )  # fmt: skip

    def fit_lossless_config(self, run: RunSettings) -> FitLosslessConfig:
        """Return the slice of the model without loss."""
        return FitLosslessConfig(
            **self.lossless.model_dump(), experiment=self.domains[MAIN].experiment, data_tier=run.data_tier, seed=run.master_seed,
            digests=self.digests(run, MAIN, "train"),
        )  # fmt: skip

    def compare_lossless_config(self, run: RunSettings) -> CompareLosslessConfig:
        """Return the slice of the comparison without loss, over all domains."""
        digests = {entry: one for name in self.domains for entry, one in self.digests(run, name, "test").items()}
        return CompareLosslessConfig(
            sources={name: SourceConfig(**self.source(name)) for name in self.domains}, role="test", data_tier=run.data_tier,
            pictures=self.lossless_pictures, digests=digests,
        )  # fmt: skip

    def report_config(self, run: RunSettings) -> PageConfig:
        """Return the slice of the page."""
        return PageConfig(
            tier=run.tier, domains=tuple(self.domains), networks=tuple(self.networks), neural=tuple(self.neural),
            weights=self.weights,
            data_tier=run.data_tier,
        )  # fmt: skip
