"""The training loop of every torch family.

At step k, with parameters a, batch x_k and random numbers ω_k that are functions of (seed, k) alone:

    g_k = ∇_a loss(a; x_k, ω_k),   g_k ← g_k min(1, clip_norm / ‖g_k‖₂)
    a ← AdamW(a, g_k, learning rate at k);   average ← d_k average + (1 - d_k) a

Several processes that `torchrun` starts share each batch and average g_k (`sciml.training.processes`).

Since nothing random is carried from step to step, a run stopped anywhere and continued ends in the
same bytes on a CPU (with the same number of threads) as one that was never stopped.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from sciml.runtime.errors import ConfigError
from sciml.runtime.processes import rank
from sciml.training import processes
from sciml.training.checkpoint import only_run_in
from sciml.training.config import TrainingConfig, learning_rate_at
from sciml.training.progress import TrainingProgress
from sciml.training.signals import StopSignals, TrainingInterrupted
from sciml.training.state import TrainingState
from sciml.training.step import LossStep, Scalars, floats, optimise, step_generator, to_device

DEVICES = ("cpu", "cuda")
Validate = Callable[[nn.Module, torch.Generator], Scalars]


@runtime_checkable
class Batches(Protocol):
    """Gives the batch of a step: always the same one for the same step."""

    def batch(self, step: int) -> Any:
        """Return tensors or arrays, alone or nested in tuples, lists and dicts; other values pass as they are."""
        ...


@dataclass(frozen=True)
class TrainingResult:
    """How a training ended; the trained model itself holds the weights.

    Attributes:
        steps: completed steps.
        reason: `all steps done`, `CPU budget used` or `wall budget used`.
        cpu_minutes: processor time of all threads, all resumes together.
        wall_minutes: elapsed time, all resumes together.
        history: the CSV: step, loss, gradient_norm, learning_rate, what the steps and validations returned.
    """

    steps: int
    reason: str
    cpu_minutes: float
    wall_minutes: float
    history: Path


def train(
    model: nn.Module,
    loss_step: LossStep,
    batches: Batches,
    config: TrainingConfig,
    *,
    folder: Path | str,
    seed: int,
    device: torch.device | str = "cpu",
    validate: Validate | None = None,
    after_step: Callable[[nn.Module], None] | None = None,
    identity: Mapping[str, Any] | None = None,
) -> TrainingResult:
    """Train `model` in place, going on from the checkpoint in `folder` where there is one.

    Args:
        model: on `device` already. On return it holds the final weights: the averaged ones where `ema_decay` is set.
        loss_step: (model, batch, generator) -> (scalar loss, scalars for the history). Takes its random numbers
            from the generator, which lives on `device` and depends on seed and step alone.
        batches: `batch(step)` must depend on `step` alone. A loss that changes with the step gets it from there.
        config: settings of the loop.
        folder: where checkpoint and history live; see `partial_folder`. Not removed here.
        seed: master seed of the run.
        device: where batches are moved to.
        validate: (model, generator) -> scalars, in evaluation mode, without gradients, with the averaged weights;
            its generator starts the same every time, so results compare.
        after_step: changes the weights after each update, for instance a projection onto a constraint.
        identity: JSON values that also decide the result (settings of the family, digests of the data); a
            checkpoint made under other ones is refused.

    Raises:
        NumericalError: loss or gradient is not finite; names the step, keeps the last good checkpoint.
        ConfigError: the checkpoint is another run's, another process trains in `folder`, or the model is elsewhere.
        FormatError: the checkpoint is damaged.
        ShapeError: the loss is not a scalar.
        TrainingInterrupted: Ctrl-C or SIGTERM; the checkpoint is written and the same call goes on.
    """
    folder, device = Path(folder), torch.device(device)
    if device.type not in DEVICES:
        raise ConfigError(f"device is {device}, expected cpu or cuda; other devices were never tried")
    if (place := next(model.parameters()).device).type != device.type:
        raise ConfigError(f"the model is on {place}, the training on {device}; move the model with .to({str(device)!r})")
    processes.join(model, device, folder)
    state = TrainingState(model, config, seed, identity or {})
    gpus = [device] if device.type == "cuda" else []
    # Dropout knows only torch's global generator: it is seeded per step inside a fork that gives the caller's back.
    with only_run_in(folder), torch.random.fork_rng(devices=gpus), StopSignals() as signals:
        state.restore(folder)
        state.count_time(device)
        same = processes.SameBuffers(model)
        with TrainingProgress(config.steps, done=state.step) as progress:
            if state.step:
                progress.say(f"going on from step {state.step} of {config.steps}")
            model.train()
            while (reason := _reason_to_stop(state, config)) is None and not processes.largest(signals.number or 0, device):
                rate = learning_rate_at(config, state.step)
                generator = step_generator(seed, "step", state.step, device)
                batch = to_device(processes.rows(batches.batch(state.step)), device)
                scalars = optimise(state, loss_step, batch, generator, rate, config, folder)
                same.check(model)
                if after_step:
                    with torch.no_grad():
                        after_step(model)
                if state.average:
                    state.average.update(model, state.step)
                state.step += 1
                state.history.add(scalars)
                _close_row(state, config, validate, seed, device)
                state.count_time(device)
                progress.update(state.step, scalars["loss"], rate, state.cpu_seconds / 60)
                if state.step % config.checkpoint_every_steps == 0:
                    state.save(folder)
            signalled = processes.largest(signals.number or 0, device)
            if state.checkpoint_step != state.step:
                state.save(folder)
            if reason:
                progress.say(
                    f"training ended: {reason} ({state.step} of {config.steps} steps, {state.cpu_seconds / 60:.2f} CPU minutes)"
                )
    if signalled or reason is None:
        raise TrainingInterrupted(state.step, config.steps, folder, signalled or signal.SIGINT)
    if state.history.open_row:
        # The last, shorter row is written but not kept in the checkpoint: a run that goes on fills it up.
        state.history.close_row(state.step)
        state.history.write(folder / "history.csv")
    if state.average:
        model.load_state_dict(state.average.tensors)
    return TrainingResult(state.step, reason, state.cpu_seconds / 60, state.wall_seconds / 60, folder / "history.csv")


def _reason_to_stop(state: TrainingState, config: TrainingConfig) -> str | None:
    if state.step >= config.steps:
        return "all steps done"
    if state.step and config.cpu_minutes is not None and state.cpu_seconds >= 60 * config.cpu_minutes:
        return "CPU budget used"
    if state.step and config.wall_minutes is not None and state.wall_seconds >= 60 * config.wall_minutes:
        return "wall budget used"
    return None


def _close_row(state: TrainingState, config: TrainingConfig, validate: Validate | None, seed: int, device: torch.device) -> None:
    due = validate is not None and (state.step % config.validate_every_steps == 0 or state.step == config.steps)
    if not due and state.step % config.log_every_steps:
        return
    results: Scalars = {}
    if due and validate is not None and rank() == 0:
        state.model.eval()
        averaged = state.average.applied(state.model) if state.average else nullcontext()
        with torch.no_grad(), averaged:
            results = validate(state.model, step_generator(seed, "validation", 0, device))
        state.model.train()
    state.history.close_row(state.step, floats(results))
