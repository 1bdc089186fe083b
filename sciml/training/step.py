"""One step of the training loop: its random numbers, its batch and its update."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sciml.runtime.errors import NumericalError, ShapeError
from sciml.runtime.processes import count
from sciml.runtime.seeds import Seeds
from sciml.training import processes
from sciml.training.config import TrainingConfig
from sciml.training.state import TrainingState

Scalars = Mapping[str, float | Tensor]
LossStep = Callable[[nn.Module, Any, torch.Generator], tuple[Float[Tensor, ""], Scalars]]


def optimise(
    state: TrainingState,
    loss_step: LossStep,
    batch: Any,
    generator: torch.Generator,
    rate: float,
    config: TrainingConfig,
    folder: Path,
) -> dict[str, float]:
    """Do one update and return loss, gradient norm, learning rate and the scalars of the step.

    Raises:
        NumericalError: loss or gradient is not finite; the weights are as before the step.
        ShapeError: the loss is not a scalar.
    """
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    place = generator.device.type
    half = config.bfloat16_on_gpu if place == "cuda" else config.bfloat16_on_cpu and has_bfloat16_units()
    with torch.autocast(place, dtype=torch.bfloat16) if half else nullcontext(), processes.step():
        loss, scalars = loss_step(state.model, batch, generator)
    if loss.numel() != 1:
        raise ShapeError(f"loss_step returned a loss of shape {list(loss.shape)}, expected a scalar; take its mean")
    values = _averaged({"loss": float(loss.detach()), **floats(scalars)}, generator.device)
    _check_finite("loss", values["loss"], state, rate, folder)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    largest = float("inf") if config.clip_norm is None else config.clip_norm
    trained = [parameter for group in state.optimiser.param_groups for parameter in group["params"]]
    processes.average_gradients(trained)
    norm = nn.utils.clip_grad_norm_(trained, largest)
    # in this order they are the columns of the history
    values = {"loss": values["loss"], "gradient_norm": float(norm), "learning_rate": rate} | values
    _check_finite("gradient norm", values["gradient_norm"], state, rate, folder)
    state.optimiser.step()
    return values


def has_bfloat16_units() -> bool:
    """Tell whether the processor multiplies bfloat16 numbers in hardware, by AMX or AVX-512; elsewhere float32 is faster."""
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def _averaged(values: dict[str, float], device: torch.device) -> dict[str, float]:
    """Return the means over processes, which are those over the batch for what is a mean over its rows."""
    totals = processes.summed(list(values.values()), device)
    return {name: total / count() for name, total in zip(values, totals, strict=True)}


def _check_finite(what: str, value: float, state: TrainingState, rate: float, folder: Path) -> None:
    if not math.isfinite(value):
        raise NumericalError(f"{what} is {value} at step {state.step} (learning rate {rate:.3g}); {state.way_back(folder)}")


def step_generator(seed: int, purpose: str, step: int, device: torch.device) -> torch.Generator:
    """Return the generator of a step, and seed the global one that dropout layers use."""
    if device.type == "cpu":
        own = torch.default_generator
    else:
        own = torch.cuda.default_generators[torch.cuda.current_device() if device.index is None else device.index]
    own.manual_seed(Seeds(seed)("training", "global", purpose, step))
    return torch.Generator(device).manual_seed(Seeds(seed)("training", purpose, step))


def floats(scalars: Scalars) -> dict[str, float]:
    """Return the scalars as Python floats."""
    return {name: float(value.detach()) if isinstance(value, Tensor) else float(value) for name, value in scalars.items()}


def to_device(batch: Any, device: torch.device) -> Any:
    """Return the batch with every array and tensor in it on `device`; other values as they are."""
    if isinstance(batch, np.ndarray):
        batch = torch.from_numpy(batch)
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, list | tuple):
        return type(batch)(to_device(item, device) for item in batch)
    if isinstance(batch, Mapping):
        return {name: to_device(item, device) for name, item in batch.items()}
    return batch
