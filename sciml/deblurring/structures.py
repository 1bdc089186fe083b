"""Settings of the untrained networks and of the rule that stops them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from sciml.runtime.settings import StageConfig


class StopConfig(StageConfig):
    """When the fit of untrained networks ends; no rule sees the truth."""

    look_every: int = Field(default=5, ge=1, description="iterations between two looks at the output")
    held_out: float = Field(default=0.05, ge=0, le=0.5, description="fraction of y's pixels kept out of the fit; 0: no such rule")
    patience: int = Field(default=200, ge=1, description="iterations without a better held-out misfit before it stops")
    smoothing: float = Field(default=0.8, ge=0, lt=1, description="decay of the average of the held-out misfit over looks")
    discrepancy: float | None = Field(
        default=0.9,
        gt=0,
        description="stop at the latest where the misfit of the fitted pixels falls to this many sigma; null: never",
    )
    window: int = Field(default=50, ge=2, description="iterations in the window of the running variance, a curve only")
    variance_patience: int = Field(
        default=150, ge=1, description="iterations without a lower variance before that rule would stop"
    )


class DipConfig(StageConfig):
    """A fit of untrained networks to one blurred picture; weights are in units of the noise and free of the picture's size."""

    mode: Literal["none", "residual", "kernel", "both", "official"] = Field(
        default="residual", description="model of the kernel's error; official: what the released program minimises, to compare"
    )
    fit: Literal["l2", "huber", "l1_dct"] = Field(default="l2", description="likelihood of the misfit")
    network: Literal["tiny", "small", "published"] = Field(default="small", description="size of the networks")
    iterations: int = Field(default=1000, ge=1, description="largest number of steps, those of a fit to the warm start apart")
    warm_start: Literal["offset", "fit"] = Field(
        default="offset",
        description="offset: the image network is what is added to the warm start; fit: it is fitted to it first, losing texture",
    )
    start_iterations: int = Field(default=400, ge=0, description="steps that fit the image network to the warm start")
    start_rate: float = Field(default=1e-2, gt=0, description="learning rate of that fit")
    warm_rate: float = Field(
        default=2e-3, gt=0, description="learning rate of the image network after that fit; higher ones forget it"
    )
    offset_rate: float = Field(
        default=1e-2, gt=0, description="learning rate of the image network that is added to the warm start"
    )
    cold_rate: float = Field(default=1e-2, gt=0, description="learning rate of the image network without a warm start")
    residual_rate: float = Field(default=3e-3, gt=0, description="learning rate of the residual network")
    kernel_rate: float = Field(default=2e-4, gt=0, description="learning rate of the kernel's correction")
    ramp_iterations: int = Field(default=50, ge=0, description="steps over which all rates rise from 0")
    average_decay: float = Field(default=0.98, ge=0, lt=1, description="decay of the running mean of outputs, which is returned")
    tv_weight: float = Field(
        default=0.1,
        ge=0,
        description="weight of the total variation; w stands for w sigma beside 1/2 |Ax - y|^2, 1e-3 at sigma 0.01",
    )
    residual_weight: float = Field(default=0.3, ge=0, description="weight of the residual's absolute values")
    residual_threshold: float = Field(default=0.0, ge=0, description="leaky soft shrinkage of the residual, in sigma")
    artefact_weight: float | None = Field(
        default=6.0,
        gt=0,
        description="threshold of the artefact term in the cosine domain, in sigma, for fit l2; null: no such term. "
        "At 3 the term explains a wrong kernel before the residual network can, which then stays at 0",
    )
    kernel_weight: float = Field(
        default=10.0, ge=0, description="ridge on the kernel's correction, relative to the image's edges"
    )
    jitter: float = Field(default=1e-3, ge=0, le=1e-2, description="standard deviation of the noise on the image network's input")
    fallback_margin: float | None = Field(
        default=0.05, ge=0, description="return the warm start when the held-out misfit exceeds its by this fraction; null: never"
    )
    checkpoint_every: int = Field(default=50, ge=1, description="steps between two checkpoints")
    stop: StopConfig = StopConfig()

    @model_validator(mode="after")
    def _consistent(self) -> DipConfig:
        if self.mode == "official" and self.fit != "l2":
            raise ValueError(f"mode official has a likelihood of its own, fit must stay l2, got {self.fit}")
        return self
