"""Everything that a training must not forget: weights, optimiser, average, step, used time, history."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sciml.runtime.errors import ConfigError, NumericalError
from sciml.runtime.processes import rank
from sciml.training.average import WeightAverage
from sciml.training.checkpoint import NAME, read_checkpoint, write_checkpoint
from sciml.training.config import TrainingConfig
from sciml.training.history import History
from sciml.training.processes import of_first, summed
from sciml.training.weights import check_arrays, to_arrays, to_tensors


class TrainingState:
    """The changing part of one run, and how it goes to a checkpoint and back.

    The learning rate, the batches and all random numbers are functions of (seed, step) and are not state.

    Args:
        model: trained in place.
        config: settings of the loop.
        seed: master seed of the run.
        identity: whatever else decides the result, as JSON values.
    """

    def __init__(self, model: nn.Module, config: TrainingConfig, seed: int, identity: Mapping[str, Any]) -> None:
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not trained:
            raise ConfigError("the model has no parameter to train; set requires_grad on at least one")
        self.model = model
        self.optimiser = torch.optim.AdamW(trained, lr=config.learning_rate, betas=config.betas, weight_decay=config.weight_decay)
        self.average = WeightAverage(model, config.ema_decay) if config.ema_decay is not None else None
        self.history = History()
        self.step = 0
        self.checkpoint_step: int | None = None
        shapes = {name: [str(tensor.dtype), list(tensor.shape)] for name, tensor in model.state_dict().items()}
        self.identity = {"training": config.identity(), "seed": seed, "model": shapes, **identity}
        self._trained = trained
        # processor time of all threads and processes, and elapsed time, since the first start, without what a killed run lost
        # after its checkpoint
        self.cpu_seconds = self.wall_seconds = self._cpu_before = self._wall_before = 0.0
        self._cpu_start, self._wall_start = time.process_time(), time.monotonic()

    def count_time(self, device: torch.device) -> None:
        """Count the time that was used until now, which all processes then know alike."""
        cpu, wall = time.process_time() - self._cpu_start, time.monotonic() - self._wall_start
        first = rank() == 0
        (self.cpu_seconds, self.wall_seconds) = summed(
            [first * self._cpu_before + cpu, first * (self._wall_before + wall)], device
        )

    def save(self, folder: Path) -> None:
        """Write the checkpoint and the history so far; on an error the previous checkpoint stays.

        Raises:
            NumericalError: a weight is no longer finite.
        """
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        for name, tensor in tensors.items():
            if not bool(torch.isfinite(tensor).all()):
                raise NumericalError(f"{name} is not finite after step {self.step}; {self.way_back(folder)}")
        if self.average:
            tensors |= {f"average/{name}": tensor for name, tensor in self.average.tensors.items()}
        for index, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{index}/{name}": value for name, value in values.items()}
        state = {
            "step": self.step,
            "cpu_seconds": self.cpu_seconds,
            "wall_seconds": self.wall_seconds,
            "history": self.history.state(),
        }
        if rank() == 0:
            write_checkpoint(folder / NAME, to_arrays(tensors), state, self.identity)
        self.history.write(folder / "history.csv")
        self.checkpoint_step = self.step

    def restore(self, folder: Path) -> None:
        """Go on from the folder's checkpoint where there is one; nothing is loaded unless all of it fits.

        Raises:
            ConfigError: the checkpoint belongs to a run with other settings.
            FormatError: the checkpoint is damaged.
        """
        path = folder / NAME
        found = of_first(read_checkpoint(path, self.identity) if rank() == 0 and path.exists() else None)
        if found is None:
            return
        arrays, state = found
        parts = {part: _part(arrays, part) for part in ("model", "average", "optimiser")}
        weights = self.model.state_dict()
        check_arrays(parts["model"], weights, str(path))
        check_arrays(parts["average"], self.average.tensors if self.average else {}, str(path))
        moments = self._moments(parts["optimiser"])
        check_arrays(parts["optimiser"], moments, str(path))

        self.model.load_state_dict(to_tensors(parts["model"], weights))
        if self.average:
            for name, tensor in to_tensors(parts["average"], self.average.tensors).items():
                self.average.tensors[name].copy_(tensor)
        by_parameter: dict[int, dict[str, Tensor]] = {}
        for name, tensor in to_tensors(parts["optimiser"], moments).items():
            index, _, key = name.partition("/")
            by_parameter.setdefault(int(index), {})[key] = tensor
        self.optimiser.load_state_dict({"state": by_parameter, "param_groups": self.optimiser.state_dict()["param_groups"]})
        self.history.restore(state["history"])
        self.step = self.checkpoint_step = state["step"]
        self._cpu_before, self._wall_before = state["cpu_seconds"], state["wall_seconds"]

    def way_back(self, folder: Path) -> str:
        """Say which checkpoint is good and what to do about a diverging training."""
        kept = (
            "no checkpoint was written yet"
            if self.checkpoint_step is None
            else f"{folder / NAME} keeps step {self.checkpoint_step}"
        )
        return f"{kept}; lower learning_rate or clip_norm, remove {folder} and train anew"

    def _moments(self, found: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        """Return what the optimiser's state must look like; a parameter that never had a gradient has none."""
        expected: dict[str, Tensor] = {}
        indices = {name.partition("/")[0] for name in found}
        for index, parameter in enumerate(self._trained):
            if str(index) in indices:
                expected[f"{index}/step"] = torch.zeros(())
                expected[f"{index}/exp_avg"] = expected[f"{index}/exp_avg_sq"] = parameter.detach()
        return expected


def _part(arrays: Mapping[str, np.ndarray], part: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(f"{part}/"): array for name, array in arrays.items() if name.startswith(f"{part}/")}
