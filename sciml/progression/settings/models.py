"""Settings of what is learned and of how a forecast is made; those of the networks are in `networks`."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from sciml.progression.settings.networks import (
    DIFFUSION_BUDGET,
    FORMS,
    AutoencoderConfig,
    AutoencoderTraining,
    ControlTraining,
    DiffusionTraining,
    FormConfig,
)
from sciml.runtime.settings import StageConfig

CourseKind = Literal["no_change", "linear_population", "huber", "huber_published", "logistic_mixed", "local_rates", "calibrated"]
# `by_visits`: Huber's regression for one visit, the logistic model for more, as published
UsedCourse = Literal[CourseKind, "by_visits", "best"]
# names of the shipped models: of images, and of motion
SHIPPED_MODEL, SHIPPED_MOTION = "mni-4p5mm", "mni-motion"
COURSE = "model of later volumes; best: calibrated, else by_visits"
Decoding = Literal["residual", "direct"]


FLOW, FLOW_SAMPLES = "draws of a forecast by motion, 1 s each", 4


class CourseSettings(StageConfig):
    """The course models that are fitted."""

    kinds: tuple[CourseKind, ...] = Field(
        default=("no_change", "linear_population", "huber", "huber_published", "logistic_mixed", "local_rates", "calibrated"),
        min_length=1,
        description="course models; calibrated needs huber, local_rates, many subjects",
    )
    rounds: int = Field(default=300, ge=1, description="L-BFGS iterations of the logistic model")

    @model_validator(mode="after")
    def _with_its_parts(self) -> CourseSettings:
        if "calibrated" in self.kinds and not {"huber", "local_rates"} <= set(self.kinds):
            raise ValueError(f"kinds are {', '.join(self.kinds)}: calibrated needs huber and local_rates")
        return self


class FitMotionConfig(StageConfig):
    """Who motion is learned from."""

    subjects: int = Field(default=108, ge=1, description="training subjects, three registered pairs each")
    validation: int = Field(default=12, ge=1, description="validation subjects")


class ForecastConfig(StageConfig):
    """How a forecast is made from trained parts."""

    samples: int = Field(default=8, ge=1, description="chains whose latents are averaged")
    steps: int = Field(default=20, ge=1, le=1000, description="of DDIM; a divisor of 1000")
    decoding: Decoding = Field(default="residual", description="x_A + D(z_B) - D(z_A), or D(z_B) as published")
    course: UsedCourse = Field(
        default="best",
        description=COURSE,
    )
    clamp_sd: float | None = Field(default=None, gt=0, description="largest |z_0| in a step, in std of the training latents")

    @model_validator(mode="after")
    def _divides(self) -> ForecastConfig:
        if 1000 % self.steps:
            raise ValueError(f"steps is {self.steps}, expected a divisor of 1000: 5, 10, 20, 25, 50 ...")
        return self


class FlowForecastConfig(StageConfig):
    """How a scan is moved to later volumes."""

    samples: int = Field(default=8, ge=1, description="draws of the volumes, each with a motion of its own")
    motion: bool = Field(
        default=True, description="go on as earlier scans say, beside the volumes; needs a model that has learned how"
    )
    course: UsedCourse = Field(default="best", description="where the volumes at later ages come from")


class VariantConfig(StageConfig):
    """One way to forecast that the study compares."""

    form: str = Field(default="residual", description="name of the diffusion model")
    how: ForecastConfig = Field(default_factory=ForecastConfig)
    volumes: Literal["course", "draws", "truth", "start"] = Field(
        default="course",
        description="at B: of the course, drawn for each chain, true (an upper bound), or A's",
    )
    zero_gap: bool = Field(default=False, description="ask for A itself: nothing should change")
    keep_chains: bool = Field(default=False, description="keep each chain's image")
    unscaled: bool = Field(default=False, description="forget the scale of the latents, as published")


def default_variants() -> dict[str, VariantConfig]:
    """Return what the study compares: the main model, its bounds, fewer and more chains and steps, and the official form."""
    residual = {
        "main": VariantConfig(),
        "draws": VariantConfig(volumes="draws", keep_chains=True),
        "zero_gap": VariantConfig(zero_gap=True),
        "true_volumes": VariantConfig(volumes="truth"),
        "no_course": VariantConfig(volumes="start"),
        "direct": VariantConfig(how=ForecastConfig(decoding="direct")),
        "unscaled": VariantConfig(unscaled=True),
    }
    residual |= {f"chains_{count}": VariantConfig(how=ForecastConfig(samples=count)) for count in (1, 4, 16)}
    residual |= {f"steps_{steps}": VariantConfig(how=ForecastConfig(steps=steps)) for steps in (5, 10, 50)}
    return residual | {
        "official": VariantConfig(form="official", how=ForecastConfig(decoding="direct")),
        "official_residual": VariantConfig(form="official"),
        "official_clamped": VariantConfig(form="official", how=ForecastConfig(decoding="direct", clamp_sd=4.0)),
    }


class PredictConfig(StageConfig):
    """What `predict` reads."""

    split: Literal["train", "validation", "test"] = "test"
    variants: dict[str, VariantConfig] = Field(default_factory=default_variants)
    every: int = Field(default=1, ge=1, description="take every so-manieth pair")
    seed: int = 0


class EvaluateConfig(StageConfig):
    """What `evaluate` reads."""

    split: Literal["validation", "test"] = "test"
    every: int = Field(default=1, ge=1, description="as of the forecasts")
    course: UsedCourse = Field(default="best", description="of the flow to prescribed volumes")
    population_field: bool = Field(default=True, description="compare with the mean motion: minutes")
    prescribed: bool = Field(default=True, description="compare with the flow to expected volumes: 1 s a pair")
    flow_samples: int = Field(default=FLOW_SAMPLES, ge=0, description=FLOW)
    trajectory_people: int = Field(default=12, ge=0, description="subjects forecast year by year")
    trajectory_years: tuple[float, ...] = Field(default=(1, 2, 3, 4, 5, 6), min_length=2, description="ahead, in even steps")
    seed: int = 0

    @model_validator(mode="after")
    def _even(self) -> EvaluateConfig:
        steps = {round(later - earlier, 6) for earlier, later in pairwise((0.0, *self.trajectory_years))}
        if len(steps) > 1 or min(steps) <= 0:
            raise ValueError(f"trajectory_years is {self.trajectory_years}, expected years in even steps from 0: 1, 2, 3 ...")
        return self


class AskConfig(StageConfig):
    """What `forecast` reads: who, when and how."""

    subjects: tuple[str, ...] = Field(default=(), description="subjects of the cohort; all by default")
    ages: tuple[float, ...] = Field(default=(), description="in years; years_ahead counts where none is given")
    years_ahead: tuple[float, ...] = Field(default=(2.0, 4.0), description="after the last visit")
    diagnosis: Literal["CN", "MCI", "AD"] | None = Field(default=None, description="assumed from the last visit on")
    form: Literal["flow", "model"] = Field(
        default="model", description="flow: scans with labels are moved; model: what the model has learned is added"
    )
    how: ForecastConfig = Field(default_factory=ForecastConfig)
    registration: Literal["none", "affine"] = Field(default="none", description="how a scan was prepared whose space is wanted")
    seed: int = 0


class AskScanConfig(StageConfig):
    """What `forecast` reads of a single scan: whose it is, when and how."""

    age_years: float = Field(ge=18, le=110, description="of the subject at the scan, in years")
    sex: Literal["M", "F"] = Field(description="of the subject")
    diagnosis: Literal["CN", "MCI", "AD"] = Field(description="of the subject at the scan, held at later ages")
    years_ahead: tuple[float, ...] = Field(default=(2.0, 4.0), min_length=1, description="after the scan")
    form: Literal["flow", "model"] = Field(
        default="flow", description="flow: the scan is moved to the volumes of the course; model: what the model has learned"
    )
    how: ForecastConfig = Field(default_factory=ForecastConfig)
    codes: str = Field(default="synthseg", description="code table of the segmentation: synthseg, published or a CSV file")
    volume: int | None = Field(default=None, ge=0, description="which of several volumes in the file")
    seed: int = 0


def default_ablations() -> dict[str, FormConfig]:
    """Return forms that differ from the official or the residual one in a single switch, and both for the same short time."""
    residual, official = FORMS["residual"], FORMS["official"]
    found = {"short_residual": residual, "short_official": official}
    for switch in FormConfig.model_fields:
        found[f"official_with_{switch}"] = official.model_copy(update={switch: getattr(residual, switch)})
        found[f"residual_with_{switch}"] = residual.model_copy(update={switch: getattr(official, switch)})
    return found


class AblationConfig(StageConfig):
    """One change at a time, on validation subjects."""

    forms: dict[str, FormConfig] = Field(default_factory=default_ablations)
    steps: int = Field(default=600, ge=1, description="of each form, at most those of the residual one")
    control_steps: int = Field(default=500, ge=1, description="of a ControlNet, at most those of the study's")
    how: ForecastConfig = Field(default_factory=lambda: ForecastConfig(steps=10))

    def variants(self) -> dict[str, VariantConfig]:
        """Return the ways to forecast: each form decoded in both ways."""
        return {
            f"{form}_{decoding}": VariantConfig(form=form, how=self.how.model_copy(update={"decoding": decoding}))
            for form in self.forms
            for decoding in ("residual", "direct")
        }


ABLATIONS = AblationConfig()


class LearningConfig(StageConfig):
    """What is learned, and how forecasts are made from it."""

    retired = frozenset({"model", "motion_model", "ablations"})

    weights: Literal["shipped", "trained"] = Field(default="trained", description="model of the main form's forecasts")
    autoencoder: AutoencoderTraining = Field(default_factory=AutoencoderTraining)
    forms: dict[str, DiffusionTraining] = Field(
        default_factory=lambda: {
            "residual": DiffusionTraining(),
            # longer: its UNet learns subjects in general first, and its ControlNet comes after
            "official": DiffusionTraining(
                form=FORMS["official"], budget=DIFFUSION_BUDGET.model_copy(update={"steps": 4_500, "cpu_minutes": 35})
            ),
        },
        description="diffusion models by name",
    )
    control: ControlTraining = Field(default_factory=ControlTraining)
    course: CourseSettings = Field(default_factory=CourseSettings)
    motion: FitMotionConfig = Field(default_factory=FitMotionConfig)
    variants: dict[str, VariantConfig] = Field(
        default_factory=default_variants,
        description="ways to forecast that are compared",
    )
    every: int = Field(default=1, ge=1, description="compare on every so-manieth test pair")
    population_field: bool = Field(default=True, description="compare with the mean motion: minutes")
    prescribed: bool = Field(default=True, description="compare with the flow to expected volumes: 1 s a pair")
    flow_samples: int = Field(default=FLOW_SAMPLES, ge=0, description=FLOW)
    trajectory_people: int = Field(default=12, ge=0, description="subjects forecast year by year")


class TrainAutoencoderConfig(AutoencoderTraining):
    """What `train-autoencoder` reads."""

    network: AutoencoderConfig = Field(default_factory=AutoencoderConfig)
    seed: int = 0


class TrainDiffusionConfig(DiffusionTraining):
    """What `train-diffusion` reads."""

    name: str = "residual"
    seed: int = 0


class TrainControlConfig(ControlTraining):
    """What `train-controlnet` reads."""

    name: str = "official"
    seed: int = 0


class FitCourseConfig(CourseSettings):
    """What `fit-course` reads."""

    seed: int = 0
