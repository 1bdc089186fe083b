"""The training loop of every torch family.

At step k, with parameters a, batch x_k and random numbers ω_k that are functions of (seed, k) alone:

    g_k = ∇_a loss(a; x_k, ω_k),   g_k ← g_k min(1, clip_norm / ‖g_k‖₂)
    a ← AdamW(a, g_k, learning rate at k);   average ← d_k average + (1 - d_k) a

Since nothing random is carried from step to step, a run stopped anywhere and continued ends in the
same bytes on a CPU (with the same number of threads) as one that was never stopped.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sciml.runtime.errors import ConfigError, NumericalError, ScimlError, ShapeError
from sciml.runtime.seeds import Seeds
from sciml.training.checkpoint import only_run_in
from sciml.training.config import TrainingConfig
from sciml.training.progress import TrainingProgress
from sciml.training.schedule import learning_rate_at
from sciml.training.state import TrainingState

Scalars = Mapping[str, float | Tensor]
LossStep = Callable[[nn.Module, Any, torch.Generator], tuple[Float[Tensor, ""], Scalars]]
Validate = Callable[[nn.Module, torch.Generator], Scalars]


class Batches(Protocol):
    """Gives the batch of a step: always the same one for the same step."""

    def batch(self, step: int) -> Any:
        """Return tensors or arrays, alone or nested in tuples, lists and dicts; other values pass as they are."""
        ...


class TrainingInterrupted(ScimlError):
    """A signal ended the training; the checkpoint is written. Exit code 130 (Ctrl-C) or 143 (SIGTERM)."""

    def __init__(self, step: int, steps: int, folder: Path, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name} after step {step} of {steps}; the same command goes on from {folder}")
        self.exit_code = 128 + number


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
    state = TrainingState(model, config, seed, identity or {})
    if (place := next(model.parameters()).device).type != device.type:
        raise ConfigError(f"the model is on {place}, the training on {device}; move the model with .to({str(device)!r})")
    cards = [device] if device.type == "cuda" else []
    # Dropout knows only torch's global generator: it is seeded per step inside a fork that gives the caller's back.
    with only_run_in(folder), torch.random.fork_rng(devices=cards), _StopSignals() as signals:
        state.restore(folder)
        with TrainingProgress(config.steps, done=state.step) as progress:
            model.train()
            while (reason := _reason_to_stop(state, config)) is None and signals.number is None:
                rate = learning_rate_at(config, state.step)
                generator = _generator(seed, "step", state.step, device)
                batch = _to_device(batches.batch(state.step), device)
                scalars = _optimise(state, loss_step, batch, generator, rate, config, folder)
                if after_step:
                    with torch.no_grad():
                        after_step(model)
                if state.average:
                    state.average.update(model, state.step)
                state.step += 1
                state.history.add(scalars)
                _close_row(state, config, validate, seed, device)
                progress.update(state.step, scalars["loss"], rate, state.cpu_seconds / 60)
                if state.step % config.checkpoint_every_steps == 0:
                    state.save(folder)
            if state.checkpoint_step != state.step:
                state.save(folder)
            if reason:
                progress.say(
                    f"training ended: {reason} ({state.step} of {config.steps} steps, {state.cpu_seconds / 60:.2f} CPU minutes)"
                )
    if signals.number is not None or reason is None:
        raise TrainingInterrupted(state.step, config.steps, folder, signals.number or signal.SIGINT)
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


def _optimise(
    state: TrainingState,
    loss_step: LossStep,
    batch: Any,
    generator: torch.Generator,
    rate: float,
    config: TrainingConfig,
    folder: Path,
) -> dict[str, float]:
    """Do one update and return the scalars of the step as floats."""
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    half = generator.device.type == "cuda" and config.bfloat16_on_gpu
    with torch.autocast("cuda", dtype=torch.bfloat16) if half else nullcontext():
        loss, scalars = loss_step(state.model, batch, generator)
    if loss.numel() != 1:
        raise ShapeError(f"loss_step returned a loss of shape {list(loss.shape)}, expected a scalar; take its mean")
    values = {"loss": float(loss.detach())}
    _check_finite("loss", values["loss"], state, rate, folder)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    largest = float("inf") if config.clip_norm is None else config.clip_norm
    norm = nn.utils.clip_grad_norm_([p for group in state.optimiser.param_groups for p in group["params"]], largest)
    values |= {"gradient_norm": float(norm), "learning_rate": rate}
    _check_finite("gradient norm", values["gradient_norm"], state, rate, folder)
    state.optimiser.step()
    return values | _floats(scalars)


def _check_finite(what: str, value: float, state: TrainingState, rate: float, folder: Path) -> None:
    if not np.isfinite(value):
        raise NumericalError(f"{what} is {value} at step {state.step} (learning rate {rate:.3g}); {state.way_back(folder)}")


def _close_row(state: TrainingState, config: TrainingConfig, validate: Validate | None, seed: int, device: torch.device) -> None:
    due = validate is not None and (state.step % config.validate_every_steps == 0 or state.step == config.steps)
    if not due and state.step % config.log_every_steps:
        return
    results: Scalars = {}
    if due and validate is not None:
        state.model.eval()
        averaged = state.average.applied(state.model) if state.average else nullcontext()
        with torch.no_grad(), averaged:
            results = validate(state.model, _generator(seed, "validation", 0, device))
        state.model.train()
    state.history.close_row(state.step, _floats(results))


def _generator(seed: int, purpose: str, step: int, device: torch.device) -> torch.Generator:
    """Return the generator of a step, and seed the global one that dropout layers use."""
    own = torch.default_generator if device.type == "cpu" else torch.cuda.default_generators[device.index or 0]
    own.manual_seed(Seeds(seed)("training", "global", purpose, step))
    return torch.Generator(device).manual_seed(Seeds(seed)("training", purpose, step))


def _floats(scalars: Scalars) -> dict[str, float]:
    return {name: float(value.detach()) if isinstance(value, Tensor) else float(value) for name, value in scalars.items()}


def _to_device(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, np.ndarray):
        batch = torch.from_numpy(batch)
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, list | tuple):
        return type(batch)(_to_device(item, device) for item in batch)
    if isinstance(batch, Mapping):
        return {name: _to_device(item, device) for name, item in batch.items()}
    return batch


class _StopSignals:
    """Note the first SIGINT or SIGTERM so that the step can end; a second one acts at once."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python allows handlers nowhere else.
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self.__exit__(None, None, None)
