"""Settings of learned proximal networks, one model a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from sciml.imaging.tasks.studies import (
    MeasureConfig,
    ReconstructConfig,
    Study,
    check_study_counts,
    measure_slice,
    measured_digests,
    reconstruct_slice,
)
from sciml.proximal.settings.models import EXPERIMENTS, ModelConfig, TrainConfig, changed, default_ablations, default_models
from sciml.proximal.settings.studies import (
    DIGITS,
    AblateConfig,
    CertifyConfig,
    ColourConfig,
    ColourSettings,
    DigitsConfig,
    DigitsSettings,
    PriorConfig,
    PriorSettings,
    TheoryConfig,
    ToyConfig,
)
from sciml.runtime.settings import DataConfig, DataTier, StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings


# --- the study ---

TaskName = Literal["denoise", "deblur", "ct-sparse", "mri-cs"]


class RestoreConfig(StageConfig):
    """What `restore` reads: which networks reconstruct the test data of a task, and how exactly."""

    networks: tuple[str, ...] = Field(description="names of the networks, in the order of their weights")
    iterations: int = Field(ge=1, description="gradients of a reconstruction, at most")
    tolerance: float = Field(gt=0, description="relative residual that ends a reconstruction")
    drift: bool = Field(description="go on to three times the gradients and report what that changes")


class EvaluateConfig(StageConfig):
    """What `evaluate` reads."""

    tasks: tuple[TaskName, ...] = Field(description="tasks whose reconstructions are scored")


class PageConfig(DataConfig):
    """What `report` reads."""

    tier: str = Field(description="name of the run's tier")
    data_tier: DataTier
    tasks: tuple[TaskName, ...] = Field(description="tasks of the run")
    trained: tuple[str, ...] = Field(description="networks that the run trains")


def default_studies() -> dict[TaskName, Study]:
    """Return the comparison on real test data, each task beside the classical methods."""
    blurs: dict[str, dict[str, float | int | str]] = {
        "Gaussian 1.6": {"kernel": "gaussian", "kernel_size": 11, "width": 1.6},
        "Gaussian 1.0": {"kernel": "gaussian", "kernel_size": 11, "width": 1.0},
        "disk 2.5": {"kernel": "disk", "kernel_size": 7, "width": 2.5},
        "shake": {"kernel": "shake", "kernel_size": 19},
    }
    return {
        "denoise": Study(
            variants={f"sigma {sigma:g}": {"sigma": sigma} for sigma in (0.025, 0.05, 0.1, 0.2)}, methods=("tv", "nlm")
        ),
        "deblur": Study(
            variants={
                f"{name}, noise {sigma:g}": {**options, "sigma": sigma}
                for name, options in blurs.items()
                for sigma in (0.01, 0.02, 0.05)
            },
            methods=("wiener", "tv"),
        ),
        "ct-sparse": Study(
            variants={"60 views": {"views": 60}, "24 views": {"views": 24}}, test_images=16, methods=("fbp", "fbp-hann", "tv")
        ),
        "mri-cs": Study(
            size=(224, 192),
            variants={"4x": {"acceleration": 4.0}, "8x": {"acceleration": 8.0}},
            test_images=16,
            methods=("zero-filled", "wavelet-l1", "tv"),
        ),
    }


LEARNED_FROM = ("train", "validation")
Data = TypeVar("Data", bound=DataConfig)


def _reading(config: Data, run: RunSettings, *parts: tuple[str, tuple[str, ...]]) -> Data:
    """Return the settings of a stage that reads some roles of some experiments, for the run's data tier."""
    from sciml.datasets.splits import split_digests

    digests: dict[str, str] = {}
    for experiment, chosen in parts:
        digests |= split_digests(experiment, run.data_tier, *chosen)
    return config.model_copy(update={"data_tier": run.data_tier, "digests": digests})


class Config(StageConfig):
    """Learned proximal networks on real photographs, CT and MR."""

    retired = frozenset({"certify", "ablate"})
    models: dict[str, ModelConfig] = Field(
        default_factory=default_models, description="networks to train, by name; others come with the package"
    )
    ablations: dict[str, ModelConfig] = Field(default_factory=default_ablations, description="short trainings")
    studies: dict[TaskName, Study] = Field(default_factory=default_studies, min_length=1, description="tasks on real data")
    networks: dict[TaskName, tuple[str, ...]] = Field(
        default={
            "denoise": ("photo-grey-guided", "photo-grey", "photo-grey-explicit", "peer-residual", "peer-gradient-step"),
            "deblur": ("photo-deblur-guided", "photo-deblur", "photo-grey", "photo-grey-explicit"),
            "ct-sparse": ("ct-guided", "ct", "photo-grey", "ct-explicit"),
            "mri-cs": ("mr-t1", "photo-grey", "mr-t1-explicit"),
        },
        description="networks compared on each task",
    )
    iterations: int = Field(default=2000, ge=1, description="gradients of a reconstruction, at most")
    tolerance: float = Field(default=3e-4, gt=0, description="relative residual that ends a reconstruction")
    drift: bool = Field(default=True, description="show what three times the gradients change")
    toy: ToyConfig = ToyConfig()
    digits: DigitsSettings = DigitsSettings()
    prior: PriorSettings = PriorSettings()
    colour: ColourSettings = ColourSettings()

    @field_validator("models", "ablations", mode="before")
    @classmethod
    def _completed(cls, given: Any) -> Any:
        """Complete the networks that are known by name: settings of these need to say only what differs."""
        if not isinstance(given, Mapping):
            return given
        known = {**default_models(), **default_ablations()}
        return {name: changed(known[name], value) if name in known else value for name, value in given.items()}

    @model_validator(mode="after")
    def _starts(self) -> Config:
        if both := sorted(set(self.models) & set(self.ablations)):
            raise ValueError(f"{both[0]} is the name of a network and of an ablation; call the ablation otherwise")
        for name, model in {**self.models, **self.ablations}.items():
            if model.start_from == name:
                raise ValueError(f"the network {name} cannot go on from itself")
        return self

    def train_config(self, run: RunSettings, model: str) -> TrainConfig:
        """Return the slice of one network, or of one ablation."""
        settings = {**self.models, **self.ablations}[model]
        config = TrainConfig(**settings.model_dump(), name=model, data_tier=run.data_tier, seed=run.master_seed)
        return _reading(config, run, (EXPERIMENTS[settings.domain], LEARNED_FROM))

    def check_counts(self) -> None:
        """Refuse more pictures than there are (ConfigError)."""
        check_study_counts(self.studies)

    def measure_config(self, run: RunSettings, task: TaskName) -> MeasureConfig:
        """Return the slice of one task's measurements: those of the classical study, with the variants of this one."""
        return measure_slice(self.studies[task], run, task)

    def reconstruct_config(self, run: RunSettings, task: TaskName) -> ReconstructConfig:
        """Return the slice of one task's measurements and classical reconstructions."""
        return reconstruct_slice(self.studies[task], run, task)

    def restore_config(self, run: RunSettings, task: TaskName) -> RestoreConfig:
        """Return the slice of the learned reconstructions of one task."""
        return RestoreConfig(networks=self.networks[task], iterations=self.iterations, tolerance=self.tolerance, drift=self.drift)

    def evaluate_config(self, run: RunSettings) -> EvaluateConfig:
        """Return the slice of the scores of all tasks."""
        return EvaluateConfig(tasks=tuple(sorted(self.studies)))

    def certify_config(self, run: RunSettings) -> CertifyConfig:
        """Return the slice of the certificates."""
        return CertifyConfig()

    def toy_config(self, run: RunSettings) -> ToyConfig:
        """Return the slice of the low-dimensional study."""
        return self.toy

    def digits_config(self, run: RunSettings) -> DigitsConfig:
        """Return the slice of the study of digits."""
        return _reading(DigitsConfig(**self.digits.model_dump()), run, (DIGITS[self.digits.digits], (*LEARNED_FROM, "test")))

    def theory_config(self, run: RunSettings) -> TheoryConfig:
        """Return the slice of the studies of small networks."""
        return TheoryConfig(toy=self.toy_config(run), digits=self.digits_config(run))

    def prior_config(self, run: RunSettings) -> PriorConfig:
        """Return the slice of the study of trained priors."""
        photographs, slices = EXPERIMENTS["photo-grey"], EXPERIMENTS["ct"]
        parts = (photographs, (*LEARNED_FROM, "test")), (slices, ("validation", "test", "test-other"))
        return _reading(PriorConfig(**self.prior.model_dump()), run, *parts)

    def colour_config(self, run: RunSettings) -> ColourConfig:
        """Return the slice of the study of colour photographs."""
        config = ColourConfig(**self.colour.model_dump(), tolerance=self.tolerance)
        return _reading(config, run, (EXPERIMENTS["photo-colour"], ("validation", "test")))

    def ablate_config(self, run: RunSettings) -> AblateConfig:
        """Return the slice of the comparison of design choices."""
        domains = sorted({EXPERIMENTS[model.domain] for model in self.ablations.values()})
        return _reading(AblateConfig(), run, *((domain, LEARNED_FROM) for domain in domains))

    def report_config(self, run: RunSettings) -> PageConfig:
        """Return the slice of the page."""
        return PageConfig(
            tier=run.tier,
            data_tier=run.data_tier,
            tasks=tuple(sorted(self.studies)),
            trained=tuple(sorted(self.models)),
            digests=measured_digests(self, run),
        )
