"""Settings of the family and of its stages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field, PositiveFloat, model_validator

from sciml.compression.settings.domains import FlowRunsConfig, SourceConfig
from sciml.compression.settings.lossless import CompareLosslessConfig, FitLosslessConfig, LosslessConfig
from sciml.compression.settings.models import DomainConfig, NetworkConfig, NeuralConfig, default_domains, default_networks
from sciml.compression.settings.stages import (
    AblateConfig,
    EvaluateConfig,
    FitConfig,
    InspectConfig,
    JudgeConfig,
    PageConfig,
    ShowConfig,
    TrainConfig,
    TrainNeuralConfig,
    ViewConfig,
    VolumesAndFieldsConfig,
)
from sciml.compression.settings.vectors import CompareVectorsConfig, FitVectorsConfig, VectorsConfig
from sciml.runtime.errors import ConfigError
from sciml.runtime.settings import StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings

# the domain whose codec is taken apart, and in which vectors are compared with scalar symbols
MAIN = "photo"
# what ours is judged beside, on crops of photographs that nothing was learned from
JudgedCodec = Literal["jpeg", "webp", "jpegxl", "avif", "avif-444", "avif-3", "avif-0", "hevc-444"]
JUDGED: tuple[JudgedCodec, ...] = get_args(JudgedCodec)
# bits a pixel near which photographs are shown at equal bytes
SHOWN_BPP = 0.22
# parts of photographs on the page: fine stripes, letters and digits
SHOWN_VIEWS = {
    "barbara": ViewConfig(window=(230, 254, 272, 320), zoom=(395, 350), shows="texture"),
    "sail": ViewConfig(window=(240, 200, 272, 320), zoom=(428, 280), shows="letters and digits"),
}
Qualities = tuple[Annotated[float, Field(ge=1, le=100)], ...]


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
        default=JUDGED, min_length=1, description="codecs beside ours; avif-0 alone takes an hour"
    )
    weights: Literal["shipped", "trained"] = Field(default="trained", description="models on the bench")
    inspected: Qualities = Field(default=(15, 35, 60), min_length=1, description="qualities whose bits the page counts")
    views: dict[str, dict[str, ViewConfig]] = Field(
        default_factory=lambda: {MAIN: dict(SHOWN_VIEWS)}, description="parts of pictures on the page, by domain and name"
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
    volumes_and_fields_pictures: int = Field(default=2, ge=1, description="slices and fields on the page, a domain")
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
        """Return the slice of the comparison without loss: all domains, of photographs the crops that judge, if there are any."""
        from sciml.datasets.crops import EXPERIMENT, photo_crops
        from sciml.datasets.splits import split_digests

        sources = {name: SourceConfig(**self.source(name)) for name in self.domains}
        # without loss slices are coded one by one, as other codecs do
        sources = {name: one.model_copy(update={"channels": 1}) if one.kind == "slices" else one for name, one in sources.items()}
        if MAIN in sources and photo_crops("test", run.data_tier):
            sources[MAIN] = SourceConfig(experiment=EXPERIMENT)
        digests = {
            entry: one
            for source in sources.values()
            for entry, one in split_digests(source.experiment, run.data_tier, "test").items()
        }
        return CompareLosslessConfig(
            sources=sources, role="test", data_tier=run.data_tier, pictures=self.lossless_pictures, digests=digests
        )

    def report_config(self, run: RunSettings) -> PageConfig:
        """Return the slice of the page."""
        return PageConfig(
            tier=run.tier, domains=tuple(self.domains), networks=tuple(self.networks), neural=tuple(self.neural),
            weights=self.weights,
            data_tier=run.data_tier,
        )  # fmt: skip
