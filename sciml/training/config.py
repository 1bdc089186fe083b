"""Settings of one training run, the same for every torch family; the learning rate as a pure function of them and the step."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

# These say when to stop, save or print; they never change the weights after a given step, so a
# stopped run may go on under other values of them.
_NOT_IN_IDENTITY = frozenset({"checkpoint_every_steps", "cpu_minutes", "wall_minutes"})


class TrainingConfig(BaseModel):
    """How long and how to train. Frozen; unknown keys are refused.

    The optimiser is AdamW, which is Adam at `weight_decay` 0.

    Example:
        >>> TrainingConfig(steps=1000, cpu_minutes=20).schedule
        'cosine'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    steps: int = Field(ge=1, description="number of optimiser steps of the whole run")
    learning_rate: float = Field(default=1e-3, gt=0, description="largest learning rate, reached after the warm-up")
    schedule: Literal["constant", "cosine"] = Field(default="cosine", description="learning rate after the warm-up")
    warmup_steps: int = Field(default=0, ge=0, description="steps over which the learning rate rises linearly")
    final_learning_rate: float = Field(default=0.0, ge=0, description="where the cosine ends")
    betas: tuple[float, float] = Field(default=(0.9, 0.999), description="decay of the optimiser's two moments, each in [0, 1)")
    weight_decay: float = Field(default=0.0, ge=0, description="decoupled weight decay")
    clip_norm: float | None = Field(default=1.0, gt=0, description="largest 2-norm of the gradient; null leaves it alone")
    ema_decay: float | None = Field(default=None, ge=0, lt=1, description="decay of averaged weights; null keeps the last ones")
    bfloat16_on_gpu: bool = Field(default=False, description="autocast to bfloat16 on a GPU")
    bfloat16_on_cpu: bool = Field(
        default=False, description="the same on a processor with instructions for it (AMX, AVX-512); others compute in float32"
    )
    log_every_steps: int = Field(default=50, ge=1, description="steps averaged in one row of history.csv")
    validate_every_steps: int = Field(default=1000, ge=1, description="steps between two validations")
    checkpoint_every_steps: int = Field(default=500, ge=1, description="steps between two resumable checkpoints")
    cpu_minutes: float | None = Field(default=None, gt=0, description="budget of processor time, threads and resumes together")
    wall_minutes: float | None = Field(default=None, gt=0, description="budget of elapsed time, all resumes together")

    @model_validator(mode="after")
    def _consistent(self) -> TrainingConfig:
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps is {self.warmup_steps}, expected fewer than steps ({self.steps})")
        if self.final_learning_rate > self.learning_rate:
            raise ValueError(f"final_learning_rate is {self.final_learning_rate}, expected at most {self.learning_rate}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are {self.betas}, expected both in [0, 1)")
        return self

    def identity(self) -> dict[str, Any]:
        """Return the settings that decide the weights and the history: all but budgets and checkpoint spacing."""
        return self.model_dump(mode="json", exclude=set(_NOT_IN_IDENTITY))


def learning_rate_at(config: TrainingConfig, step: int) -> float:
    """Return the learning rate of one step.

    Args:
        config: gives `learning_rate` (a), `final_learning_rate` (b), `warmup_steps` (w), `steps` (n).
        step: number of the step (k), counted from 0.

    Example:
        >>> [learning_rate_at(TrainingConfig(steps=6, warmup_steps=2, learning_rate=1.0), k) for k in (0, 1, 2, 4)]
        [0.5, 1.0, 1.0, 0.5]
    """
    top, bottom, warmup = config.learning_rate, config.final_learning_rate, config.warmup_steps
    # k < w:    a (k + 1) / w
    if step < warmup:
        return top * (step + 1) / warmup
    if config.schedule == "constant":
        return top
    # cosine:   b + (a - b) (1 + cos(π (k - w) / (n - w))) / 2
    progress = min(1.0, (step - warmup) / (config.steps - warmup))
    return bottom + (top - bottom) * (1 + math.cos(math.pi * progress)) / 2
