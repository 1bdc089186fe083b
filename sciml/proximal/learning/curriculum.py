"""Train through a schedule of losses: absolute or squared error first, then proximal matching at falling gamma.

Each stage is one run of the shared training loop with its own learning rate, starting from the averaged weights of the stage
before. A schedule that was stopped goes on inside the stage it was in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sciml.proximal.learning.matching import Scaling, VanishedWeights, stage_loss
from sciml.proximal.settings.structures import MatchingStage
from sciml.runtime.seeds import Seeds
from sciml.training import TrainingConfig, train
from sciml.training.loop import Batches

Pairs = Callable[[Any, torch.Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Curriculum:
    """How a schedule ended.

    Attributes:
        completed: stages whose weights were kept.
        reason: `all stages done`, or why it stopped early.
        cpu_minutes: processor time of the completed stages, all resumes together.
        histories: the CSV of each completed stage.
    """

    completed: int
    reason: str
    cpu_minutes: float
    histories: tuple[Path, ...]


@dataclass(frozen=True)
class _From:
    """The batches of a stage: those of the whole schedule from a step on."""

    batches: Batches
    first: int

    def batch(self, step: int) -> Any:
        return self.batches.batch(self.first + step)


def as_given(batch: tuple[Tensor, Tensor], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return a batch that is (noisy, clean) already."""
    return batch


def run_schedule(
    model: nn.Module,
    schedule: Sequence[MatchingStage],
    batches: Batches,
    denoise: Callable[[nn.Module, Tensor], Tensor],
    *,
    folder: Path,
    seed: int,
    pairs: Pairs = as_given,
    scaling: Scaling = "density",
    settings: Mapping[str, Any] | None = None,
    device: str = "cpu",
    after_step: Callable[[nn.Module], None] | None = None,
    after_stage: Callable[[int, nn.Module], None] | None = None,
    identity: Mapping[str, Any] | None = None,
) -> Curriculum:
    """Train `model` in place through the stages.

    Args:
        model: the network, on `device`.
        schedule: stages with falling gamma, see `sciml.proximal.settings.structures.check_schedule`.
        batches: `batch(step)` counts steps over all stages.
        denoise: (model, noisy) -> estimate with graph.
        folder: holds a checkpoint and a history a stage; not removed here.
        seed: master seed.
        pairs: (batch, generator) -> (noisy, clean).
        scaling: how the matching loss is scaled.
        settings: further values of `TrainingConfig`, for instance `ema_decay`; steps and rate come from the stage.
        device: `cpu` or `cuda`.
        after_step: changes the weights after each update, such as a projection.
        after_stage: called with the index of each completed stage and the model, also when a finished stage is read again.
        identity: JSON values that also decide the result.

    Returns:
        How far it came. Where all weights of the matching loss vanish the model gets the weights of the stage before back.

    Raises:
        NumericalError, ConfigError, FormatError, TrainingInterrupted: as `sciml.training.train`.
    """
    seeds, first, minutes, last_good = Seeds(seed), 0, 0.0, None
    histories: list[Path] = []
    for index, stage in enumerate(schedule):
        before = {name: value.detach().clone() for name, value in model.state_dict().items()}

        def loss_step(model: nn.Module, batch: Any, generator: torch.Generator, stage: MatchingStage = stage):
            noisy, clean = pairs(batch, generator)
            matched = stage_loss(stage, denoise(model, noisy), clean, scaling)
            return matched.loss, matched.scalars()

        values = {"clip_norm": None, **(settings or {}), "steps": stage.steps, "learning_rate": stage.learning_rate}
        own = {**(identity or {}), "stage": {"index": index, **stage.model_dump(mode="json")}, "scaling": scaling}
        try:
            result = train(
                model,
                loss_step,
                _From(batches, first),
                TrainingConfig.model_validate(values),
                folder=folder / f"stage-{index}",
                seed=seeds("schedule", index),
                device=device,
                after_step=after_step,
                identity=own,
            )
        except VanishedWeights as error:
            model.load_state_dict(before)
            reason = str(VanishedWeights(error.gamma, error.rmse, last_good))
            return Curriculum(index, reason, minutes, tuple(histories))
        first, minutes, last_good = first + stage.steps, minutes + result.cpu_minutes, stage.gamma or last_good
        histories.append(result.history)
        if after_stage:
            after_stage(index, model)
    return Curriculum(len(schedule), "all stages done", minutes, tuple(histories))
