"""Settings of learned proximal networks, one model a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

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
from sciml.proximal.settings.structures import (
    Schedule,
    matching_schedule,
)
from sciml.runtime.settings import DataConfig, DataTier, StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings


class ToyConfig(StageConfig):
    """What the low-dimensional study reads: the Laplace prior on the line for several seeds, and other priors."""

    seeds: tuple[int, ...] = Field(default=(0, 1, 2), min_length=1, description="seeds of the networks on the Laplace prior")
    schedule: Schedule = Field(
        default=matching_schedule((0.5, 0.3, 0.2, 0.1), 5000, 3e-3, 2000, 1e-2), description="training on the Laplace prior"
    )
    batch_size: Literal[256, 512, 1024, 2048, 4096, 8192] = Field(default=4096, description="samples a step, Laplace prior")
    published_schedule: Schedule | None = Field(
        default=matching_schedule((0.5, 0.3, 0.2, 0.1), 700, 1e-3, 1000, 1e-3),
        description="training of the published 4 x 50 network on the same samples; null leaves it out",
    )
    priors: tuple[Literal["gaussian", "exponential", "box", "disc", "l1-ball", "points", "student-t", "two-gaussians"], ...] = (
        Field(
            default=("gaussian", "exponential", "box", "disc", "l1-ball", "points", "student-t", "two-gaussians"),
            description="other priors, each learned by one network",
        )
    )
    priors_schedule: Schedule = Field(
        default=matching_schedule((0.4, 0.2, 0.1), 1200, 3e-3, 600, 1e-2), description="training on every other prior"
    )
    priors_batch_size: Literal[256, 512, 1024, 2048, 4096, 8192] = Field(default=2048, description="samples a step, other priors")


Levels = tuple[NonNegativeFloat, ...]
NOISE_LEVELS = (0.0, 0.05, 0.1, 0.2, 0.3)
NOISE = "standard deviations of noise that R is computed at, ascending"
MIXING_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
MIXING = "shares of another picture that R is computed at, ascending, 0, 0.5 and 1 among them"
DIGITS = {"digits8": "proximal-digits", "digits20": "proximal-digits20"}
"""Experiment of the splits by set of digits."""


class DigitsConfig(DataConfig):
    """What the study of digits reads: the published network at a small size, and the corruptions that its prior is tested on."""

    digits: Literal["digits8", "digits20"] = Field(default="digits8", description="8 x 8 digits, or 20 x 20 at the tier full")
    data_tier: DataTier = "default"
    pad: int = Field(default=0, ge=0, le=8, description="zeros on each side of a digit")
    width: int = Field(default=24, ge=1, description="channels of each convolution")
    head: int = Field(default=64, ge=1, description="units of the layer that sees the whole digit")
    schedule: Schedule = Field(
        default=matching_schedule((0.64, 0.32, 0.16, 0.08), 1200, 2e-3, 5000, 1e-2), description="losses of the training"
    )
    batch_size: int = Field(default=64, ge=1, description="digits of a step")
    ema_decay: float = Field(default=0.995, ge=0, lt=1, description="decay of the averaged weights")
    test_digits: int = Field(default=200, ge=2, description="test digits whose R is computed, at most those of the split")
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


class PriorConfig(DataConfig):
    """What the study of trained priors reads: R on test pictures, detection, posterior covariance, a wrong noise level."""

    data_tier: DataTier = "default"
    photographs: int = Field(default=10, ge=2, description="test photographs, at most those of the split")
    photo_size: int = Field(default=128, ge=32, description="pixels a side of the centre of a photograph")
    noise_levels: Levels = Field(default=NOISE_LEVELS, min_length=2, description=NOISE)
    blur_widths: Levels = Field(
        default=(0.0, 0.5, 1.0, 2.0, 4.0), min_length=2, description="standard deviations of the blur, pixels, ascending"
    )
    mixing_shares: Levels = Field(default=MIXING_SHARES, min_length=3, description=MIXING)
    slices: int = Field(default=12, ge=2, description="CT slices of each person")
    ct_size: int = Field(default=256, ge=64, description="pixels a side of a slice; larger ones are reduced by a whole factor")
    fbp_views: tuple[PositiveInt, ...] = Field(
        default=(30, 60), description="views of the filtered back-projections with streaks"
    )
    covariance_pictures: int = Field(default=4, ge=1, description="validation crops whose posterior covariance is computed")
    covariance_size: int = Field(default=48, ge=16, description="pixels a side of such a crop")
    directions: int = Field(default=6, ge=1, description="leading eigenvectors of the covariance of the first crop")
    lanczos_steps: int = Field(default=20, ge=2, description="products with the Jacobian for those eigenvectors")
    spacing: int = Field(default=8, ge=1, description="distance of the pixels that one probe of the variance takes together")


class AblateConfig(DataConfig):
    """What the comparison of design choices reads: the validation crops, and what counts as equal."""

    data_tier: DataTier = "default"
    sigmas: tuple[float, ...] = Field(default=(0.025, 0.1, 0.2), min_length=1, description="noise levels")
    gradients: int = Field(default=16, ge=1, description="N of a solution; it is measured at N and at 3 N")
    crops: int = Field(default=30, ge=1, description="crops of validation pictures")
    crop_size: int = Field(default=96, ge=8, description="pixels a side of such a crop")


class ColourConfig(DataConfig):
    """What the study of colour photographs reads."""

    data_tier: DataTier = "default"
    tolerance: float = Field(default=3e-4, gt=0, description="relative residual of the networks; that of the study")
    sigmas: tuple[PositiveFloat, ...] = Field(default=(0.05, 0.1, 0.2), min_length=1, description="noise levels")
    photographs: int = Field(default=10, ge=1, description="colour test photographs, at most those of the split")
    validation_photographs: int = Field(default=5, ge=0, description="that the rivals' parameters are chosen on")
    size: int = Field(default=256, ge=32, description="pixels a side of the centre of a photograph")


# --- the study ---

TaskName = Literal["denoise", "deblur", "ct-sparse", "mri-cs"]


class RestoreConfig(StageConfig):
    """What `restore` reads: which networks reconstruct the test data of a task, and how exactly."""

    networks: tuple[str, ...] = Field(description="names of the networks, in the order of their weights")
    iterations: int = Field(ge=1, description="at most this many gradients a reconstruction")
    tolerance: float = Field(gt=0, description="relative residual at which a reconstruction is finished")
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

    models: dict[str, ModelConfig] = Field(
        default_factory=default_models, description="networks that this run trains, by name; all others come with the package"
    )
    ablations: dict[str, ModelConfig] = Field(
        default_factory=default_ablations, description="short trainings that compare design choices on validation data"
    )
    studies: dict[TaskName, Study] = Field(
        default_factory=default_studies, min_length=1, description="tasks on real test data, beside classical methods"
    )
    networks: dict[TaskName, tuple[str, ...]] = Field(
        default={
            "denoise": ("photo-grey", "photo-grey-explicit", "peer-residual", "peer-gradient-step"),
            "deblur": ("photo-deblur", "photo-grey", "photo-grey-explicit"),
            "ct-sparse": ("ct", "photo-grey", "ct-explicit"),
            "mri-cs": ("mr-t1", "photo-grey"),
        },
        description="networks that are compared on each task",
    )
    iterations: int = Field(default=2000, ge=1, description="at most this many gradients a reconstruction")
    tolerance: float = Field(default=3e-4, gt=0, description="relative residual at which a reconstruction is finished")
    drift: bool = Field(default=True, description="show what three times the gradients change")
    certify: CertifyConfig = Field(default=CertifyConfig(), description="certificates of the weights")
    toy: ToyConfig = Field(default=ToyConfig(), description="priors with a known answer, in one and two dimensions")
    digits: DigitsConfig = Field(default=DigitsConfig(), description="prior of handwritten digits")
    prior: PriorConfig = Field(default=PriorConfig(), description="priors of photographs and of CT")
    colour: ColourConfig = Field(default=ColourConfig(), description="photographs in colour")
    ablate: AblateConfig = Field(default=AblateConfig(), description="comparison of the ablations")

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
        return self.certify

    def toy_config(self, run: RunSettings) -> ToyConfig:
        """Return the slice of the low-dimensional study."""
        return self.toy

    def digits_config(self, run: RunSettings) -> DigitsConfig:
        """Return the slice of the study of digits."""
        return _reading(self.digits, run, (DIGITS[self.digits.digits], (*LEARNED_FROM, "test")))

    def theory_config(self, run: RunSettings) -> TheoryConfig:
        """Return the slice of the studies of small networks."""
        return TheoryConfig(toy=self.toy_config(run), digits=self.digits_config(run))

    def prior_config(self, run: RunSettings) -> PriorConfig:
        """Return the slice of the study of trained priors."""
        photographs, slices = EXPERIMENTS["photo-grey"], EXPERIMENTS["ct"]
        return _reading(self.prior, run, (photographs, (*LEARNED_FROM, "test")), (slices, ("validation", "test", "test-other")))

    def colour_config(self, run: RunSettings) -> ColourConfig:
        """Return the slice of the study of colour photographs."""
        found = _reading(self.colour, run, (EXPERIMENTS["photo-colour"], ("validation", "test")))
        return found.model_copy(update={"tolerance": self.tolerance})

    def ablate_config(self, run: RunSettings) -> AblateConfig:
        """Return the slice of the comparison of design choices."""
        domains = sorted({EXPERIMENTS[model.domain] for model in self.ablations.values()})
        return _reading(self.ablate, run, *((domain, LEARNED_FROM) for domain in domains))

    def report_config(self, run: RunSettings) -> PageConfig:
        """Return the slice of the page."""
        return PageConfig(
            tier=run.tier,
            data_tier=run.data_tier,
            tasks=tuple(sorted(self.studies)),
            trained=tuple(sorted(self.models)),
            digests=measured_digests(self, run),
        )
