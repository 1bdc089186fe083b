"""Settings of a network: what it learns from, its structure, how long it is trained; and the networks known by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, PositiveFloat, model_validator

from sciml.proximal.settings.structures import (
    DOWNSCALE_PROBABILITIES,
    FramePotential,
    GuideConfig,
    Network,
    PeerConfig,
    RegularizerConfig,
    SolverSchedule,
)
from sciml.runtime.settings import DataConfig, DataTier, StageConfig, in_parts

# settings by their names in earlier versions
EARLIER = {"reductions": "downscale_probabilities"}
# gives the peers about the parameters of the networks they are compared with
PEER_WIDTH = 16


class ModelConfig(StageConfig):
    """One network, and its training."""

    model_config = ConfigDict(json_schema_extra=in_parts)
    domain: Literal["photo-grey", "photo-colour", "ct", "mri"] = Field(description="pictures that it learns from")
    task: Literal["denoise", "deblur", "ct", "mri"] = Field(
        default="denoise", description="what it learns; all but denoise by random operators"
    )
    start_from: str | None = Field(default=None, description="trained network that it goes on from")
    start_scale: float = Field(default=1.0, gt=0, description="factor on the thresholds of that network")
    network: Network = Field(description="structure, of the kind that `kind` names")
    sigma_range: tuple[PositiveFloat, PositiveFloat] = Field(default=(0.01, 0.3), description="lowest and highest noise level")
    downscale_probabilities: dict[int, float] = Field(
        default=DOWNSCALE_PROBABILITIES,
        min_length=1,
        description="chances of factors that photographs are reduced by",
    )
    crop_size: int = Field(default=40, ge=8, le=256, description="pixels a side of a training crop")
    batch_size: int = Field(default=4, ge=1, description="crops of a step")
    steps: int = Field(ge=1, description="optimiser steps")
    cpu_minutes: float = Field(gt=0, description="processor time that ends the training, minutes")
    learning_rate: float = Field(default=1e-2, gt=0, description="largest learning rate, at the beginning")
    ema_decay: float = Field(default=0.999, ge=0, lt=1, description="decay of the averaged weights")
    schedule: SolverSchedule = Field(default=SolverSchedule(), description="steps of the solver, implicit form")
    validation_sigmas: tuple[PositiveFloat, ...] = Field(
        default=(0.025, 0.1, 0.2), min_length=1, description="noise levels of the validation"
    )
    validation_crops: int = Field(default=20, ge=1, description="crops of validation pictures")
    validations: int = Field(default=10, ge=1, description="how often it is validated")
    loss: Literal["mse", "log-mse"] = Field(default="mse", description="log-mse counts easy and hard pictures alike")
    operators: int = Field(default=32, ge=1, description="random operators, for tasks but denoise")

    @model_validator(mode="before")
    @classmethod
    def _earlier_names(cls, values: Any) -> Any:
        return renamed(values)

    @model_validator(mode="after")
    def _fits(self) -> ModelConfig:
        if self.task != "denoise" and not isinstance(self.network, RegularizerConfig | GuideConfig):
            raise ValueError(f"only the implicit form is trained through a solver; train {self.network.kind} to denoise")
        if not 0 < self.sigma_range[0] <= self.sigma_range[1]:
            raise ValueError(f"sigma_range is {self.sigma_range}, expected lowest and highest above 0")
        if isinstance(self.network, GuideConfig) and (self.start_from is None or self.start_scale != 1):
            raise ValueError("start_from names the network that a guide belongs to, whose thresholds it takes as they are")
        return self


EXPERIMENTS = {"photo-grey": "proximal-photos", "photo-colour": "proximal-photos", "ct": "proximal-ct", "mri": "proximal-mri"}
"""Experiment of the splits by domain of a network."""


class TrainConfig(ModelConfig, DataConfig):
    """What `train` reads."""

    name: str = Field(description="name of the network and of its weight file")
    data_tier: DataTier
    seed: int = Field(description="master seed of the run")


def default_models() -> dict[str, ModelConfig]:
    """Return the networks that the package ships, with the budgets they were trained under."""
    grey = RegularizerConfig(windows=((7,), (7,)), curvature=60.0)

    def tuned(domain: Literal["photo-grey", "ct", "mri"], task: Literal["deblur", "ct", "mri"], **changes: Any) -> ModelConfig:
        values: dict[str, Any] = {
            "domain": domain,
            "task": task,
            "start_from": "photo-grey",
            "network": grey,
            "crop_size": 64,
            "steps": 300,
            "cpu_minutes": 40,
            "learning_rate": 3e-3,
            "ema_decay": 0.98,
            # few views and rows leave directions that a solver is slow in: a training must not profit from stopping early
            "schedule": SolverSchedule(solver_steps=(60, 72, 90), adjoint_steps=(14, 16, 18)),
            "loss": "log-mse",
            "validations": 5,
            "validation_crops": 8,
        }
        return ModelConfig.model_validate({**values, **changes})

    scanned = SolverSchedule(solver_steps=(80, 100, 120), adjoint_steps=(16, 20, 24))
    sharp: dict[str, Any] = {
        # sharper crops, and a loss that looks at their edges: chosen on validation photographs
        "downscale_probabilities": {1: 0.1, 2: 0.35, 3: 0.35, 4: 0.2},
        "loss": "mse",
        "operators": 60,
        "ema_decay": 0.995,
        "schedule": SolverSchedule(solver_steps=(16, 20, 26), adjoint_steps=(10, 12, 14)),
        "validations": 10,
        "validation_crops": 20,
    }

    def guide(domain: Literal["photo-grey", "photo-colour"], start: str, steps: int, cpu_minutes: float) -> ModelConfig:
        return ModelConfig(
            domain=domain,
            start_from=start,
            network=GuideConfig(),
            crop_size=64,
            steps=steps,
            cpu_minutes=cpu_minutes,
            learning_rate=2e-3,
            ema_decay=0.998,
            schedule=SolverSchedule(solver_steps=(10, 12), adjoint_steps=(8, 9), begins=(0.0, 0.8)),
        )

    def explicit(domain: Literal["photo-grey", "ct", "mri"], cpu_minutes: float) -> ModelConfig:
        return ModelConfig(
            domain=domain, network=FramePotential(), steps=int(3000 * cpu_minutes), cpu_minutes=3 * cpu_minutes, ema_decay=0.99
        )

    def peer(kind: Literal["residual", "gradient_step"], steps: int) -> ModelConfig:
        return ModelConfig(
            domain="photo-grey",
            network=PeerConfig(kind=kind, width=PEER_WIDTH),
            steps=steps,
            cpu_minutes=118,
            learning_rate=3e-3,
            ema_decay=0.999,
        )

    return {
        "photo-grey": ModelConfig(domain="photo-grey", network=grey, steps=30000, cpu_minutes=118),
        "photo-grey-guided": guide("photo-grey", "photo-grey", steps=14000, cpu_minutes=118),
        "photo-colour": ModelConfig(
            domain="photo-colour",
            network=grey.model_copy(update={"channels": 3}),
            steps=2400,
            cpu_minutes=40,
        ),
        "photo-colour-guided": guide("photo-colour", "photo-grey-guided", steps=4200, cpu_minutes=100),
        "photo-deblur": tuned(
            "photo-grey",
            "deblur",
            **sharp,
            steps=2400,
            learning_rate=4e-3,
        ),
        "photo-deblur-guided": tuned(
            "photo-grey",
            "deblur",
            start_from="photo-grey-guided",
            network=GuideConfig(),
            **sharp,
            steps=1800,
            cpu_minutes=60,
            learning_rate=2e-3,
        ),
        "ct": tuned("ct", "ct", schedule=scanned),
        "ct-guided": tuned(
            "ct",
            "ct",
            start_from="photo-grey-guided",
            network=GuideConfig(),
            steps=450,
            learning_rate=2e-3,
            schedule=scanned,
        ),
        "mr-t1": tuned("mri", "mri", steps=200, start_scale=2.0),
        "photo-grey-explicit": explicit("photo-grey", 6),
        "ct-explicit": explicit("ct", 3),
        "mr-t1-explicit": explicit("mri", 3),
        "peer-residual": peer("residual", 200_000),
        "peer-gradient-step": peer("gradient_step", 50_000),
    }


def default_ablations() -> dict[str, ModelConfig]:
    """Return short trainings that ask what a design is worth: photo-grey goes on at one noise level, or R is built otherwise."""
    grey = default_models()["photo-grey"]
    short: dict[str, Any] = {"cpu_minutes": 30, "validations": 2, "validation_crops": 8}

    def only(sigma: float) -> ModelConfig:
        level = {"start_from": "photo-grey", "sigma_range": (sigma, sigma), "validation_sigmas": (sigma,)}
        return grey.model_copy(update={**short, **level, "steps": 1500, "learning_rate": 3e-3, "ema_decay": 0.995})

    def structure(**changes: Any) -> ModelConfig:
        return grey.model_copy(update={**short, "network": grey.network.model_copy(update=changes), "steps": 3000})

    return {
        **{f"only-{sigma:g}": only(sigma) for sigma in (0.025, 0.1, 0.2)},
        "reference": structure(),
        "one-level": structure(windows=((7,),)),
        "three-levels": structure(windows=((7,), (7,), (7,))),
        "short-and-long": structure(windows=((3, 7), (3, 7))),
        "curvature-20": structure(curvature=20.0),
        # 0 itself is no setting: the potentials are differences
        "convex": structure(weak_convexity=1e-3),
    }


def renamed(values: Any) -> Any:
    """Return the values of a network by the names that its settings have now; an old name beside the new one stays, an error."""
    if not isinstance(values, Mapping):
        return values
    return {EARLIER.get(name, name) if EARLIER.get(name) not in values else name: value for name, value in values.items()}


def changed(model: ModelConfig, changes: Any) -> Any:
    """Return the values of a network with changes; a structure of the same kind may be changed in parts."""
    if not isinstance(changes, Mapping):
        return changes
    values = {**model.model_dump(), **renamed(changes)}
    network = changes.get("network")
    if isinstance(network, Mapping) and network.get("kind", model.network.kind) == model.network.kind:
        values["network"] = {**model.network.model_dump(), **network}
    return values
