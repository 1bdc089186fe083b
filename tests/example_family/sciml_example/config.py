"""Settings of the example, one model a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from sciml.runtime.settings import StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings


class TrainConfig(StageConfig):
    """What `train` reads."""

    pictures: int = Field(ge=1, description="training pictures")
    size: int = Field(ge=16, le=512, description="height and width of a picture, in pixels")
    sigma: float = Field(gt=0, description="standard deviation of the noise; pictures lie in [0, 1]")
    filter_size: int = Field(ge=3, le=15, description="height and width of the filter, in pixels")
    steps: int = Field(ge=1, description="optimiser steps")
    learning_rate: float = Field(gt=0, description="largest learning rate")
    checkpoint_every_steps: int = Field(ge=1, description="steps between two resumable checkpoints")
    seed: int


class EvaluateConfig(StageConfig):
    """What `evaluate` reads."""

    pictures: int = Field(ge=1, description="test pictures, never seen in training")
    seed: int


class ReportConfig(StageConfig):
    """What `report` reads."""

    tier: str


class Config(StageConfig):
    """A learned linear filter against noise."""

    train_pictures: int = Field(default=8, ge=1, description="training pictures")
    test_pictures: int = Field(default=6, ge=1, description="test pictures, never seen in training")
    size: int = Field(default=48, ge=16, le=512, description="height and width of a picture, in pixels")
    sigma: float = Field(default=0.1, gt=0, description="standard deviation of the noise; pictures lie in [0, 1]")
    filter_size: int = Field(default=5, ge=3, le=15, description="height and width of the filter, in pixels")
    steps: int = Field(default=400, ge=1, description="optimiser steps")
    learning_rate: float = Field(default=0.02, gt=0, description="largest learning rate")
    checkpoint_every_steps: int = Field(default=100, ge=1, description="steps between two resumable checkpoints")

    def train_config(self, run: RunSettings) -> TrainConfig:
        """Return the slice of the training."""
        return TrainConfig(
            pictures=self.train_pictures,
            size=self.size,
            sigma=self.sigma,
            filter_size=self.filter_size,
            steps=self.steps,
            learning_rate=self.learning_rate,
            checkpoint_every_steps=self.checkpoint_every_steps,
            seed=run.master_seed,
        )

    def evaluate_config(self, run: RunSettings) -> EvaluateConfig:
        """Return the slice of the evaluation."""
        return EvaluateConfig(pictures=self.test_pictures, seed=run.master_seed)

    def report_config(self, run: RunSettings) -> ReportConfig:
        """Return the slice of the report."""
        return ReportConfig(tier=run.tier)
