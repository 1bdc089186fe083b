"""Everything that a fit of untrained networks must not forget: weights, moments, running means, the rule's curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sciml.deblurring.dip.networks import (
    IMAGE_WIDTHS,
    RESIDUAL_WIDTHS,
    ImageNetwork,
    OffsetNetwork,
    ResidualNetwork,
    SkipNetwork,
    network_input,
)
from sciml.deblurring.dip.objective import Canvas, Objective, Picture
from sciml.deblurring.dip.stopping import CombinedRule
from sciml.deblurring.settings.structures import DipConfig
from sciml.runtime.errors import FormatError
from sciml.runtime.seeds import Seeds
from sciml.training.checkpoint import NAME, read_checkpoint, write_checkpoint
from sciml.training.weights import to_arrays

# These say how long to go on and when to save; they never change what a given step does.
_NOT_IN_IDENTITY = {"iterations", "checkpoint_every"}
OFFICIAL_SCALE, OFFICIAL_THRESHOLD = 10.0, 0.005
# of the running mean of outputs, which is returned
AVERAGE_DECAY = 0.98


class FitState:
    """The changing part of one fit. Random numbers and rates are functions of (seed, step) and are not state.

    Args:
        objective: what is minimised.
        config: settings.
        seed: of the networks, their inputs and the jitter.
        start: the warm start, on the canvas.

    Attributes:
        step: steps done, those of the warm start included.
        first_loss: loss of the first step after the warm start.
        artefact: h of the last step.
        average: running means of `image`, `residual`, `artefact` and `correction`, as far as the mode has them.
        best: copies of the means at the iteration that the rule would return.
        losses: iterations and terms at each look.
    """

    def __init__(self, objective: Objective, config: DipConfig, seed: int, start: Canvas | None) -> None:
        y, seeds = objective.y, Seeds(seed)
        self.config, self.seeds, self.scale = config, seeds, objective.sigma
        channels, size = int(y.shape[1]), (int(y.shape[-2]), int(y.shape[-1]))
        widths, generator = IMAGE_WIDTHS[config.network], _generator(seeds, "image network")
        self._start_steps = 0 if start is None else config.start_iterations
        if start is not None and config.warm_start == "offset":
            self.image: SkipNetwork = OffsetNetwork(widths, channels, generator, start).to(y)
            self._start_steps = 0
        else:
            self.image = ImageNetwork(widths, channels, generator).to(y)
        self._image_input = network_input(self.image.inputs, objective.blur.canvas, _generator(seeds, "image input")).to(y)
        groups: dict[str, list[nn.Parameter]] = {"image": list(self.image.parameters())}
        self.residual: ResidualNetwork | None = None
        if objective.has_residual:
            threshold = 0.0
            if config.mode == "official":  # its residual is ten times a network with a dead zone, in grey levels
                self.scale, threshold = OFFICIAL_SCALE, OFFICIAL_THRESHOLD
            widths, generator = RESIDUAL_WIDTHS[config.network], _generator(seeds, "residual network")
            self.residual = ResidualNetwork(widths, channels, generator, threshold=threshold).to(y)
            self._residual_input = network_input(self.residual.inputs, size, _generator(seeds, "residual input")).to(y)
            groups["residual"] = list(self.residual.parameters())
        self.correction: nn.Parameter | None = None
        if objective.has_kernel:
            self.correction = nn.Parameter(torch.zeros_like(objective.kernel))
            groups["kernel"] = [self.correction]
        self.optimiser = torch.optim.Adam([{"params": group, "name": name} for name, group in groups.items()])
        self.rule = CombinedRule(config.stop, config.iterations)
        self.step = 0
        self.first_loss: float | None = None
        self.artefact: Picture | None = None
        self.average: dict[str, Tensor] = {}
        self.best: dict[str, Tensor] = {}
        self.losses: list[tuple[int, dict[str, float]]] = []

    @property
    def iterations(self) -> int:
        """Steps done after the warm start; negative before its end."""
        return self.step - self._start_steps

    def draw_image(self) -> Canvas:
        """Return the image of this step, x = I(z + jitter)."""
        z = self._image_input
        if self.config.jitter:
            noise = torch.randn(z.shape, generator=_generator(self.seeds, "jitter", self.step))
            z = z + self.config.jitter * noise.to(z)
        return self.image(z)

    def draw_residual(self) -> Picture | None:
        """Return R, the network's output in units of the noise; None where the mode has no residual."""
        return None if self.residual is None else self.scale * self.residual(self._residual_input)

    @torch.no_grad()
    def take_in(self, iteration: int, values: Mapping[str, Tensor | None]) -> None:
        """Update the running means, m <- d m + (1 - d) v with d = min(decay, (1 + t) / (10 + t)), t = iteration - 1."""
        decay = min(AVERAGE_DECAY, iteration / (9 + iteration))
        for name, value in values.items():
            if value is not None and name in self.average:
                self.average[name].lerp_(value.detach(), 1 - decay)
            elif value is not None:
                self.average[name] = value.detach().clone()

    def keep_best(self) -> None:
        """Copy the running means."""
        self.best = {name: value.clone() for name, value in self.average.items()}

    def save(self, folder: Path, identity: Mapping[str, Any]) -> None:
        """Write the checkpoint, whole or not at all.

        Raises:
            ScimlError: the folder cannot be written.
        """
        outputs, rule = self.rule.state()
        state = {"step": self.step, "first_loss": self.first_loss, "losses": self.losses, "rule": rule}
        tensors = self._tensors() | {f"rule/{name}": value for name, value in outputs.items()}
        write_checkpoint(folder / NAME, to_arrays(tensors), state, identity)

    def restore(self, folder: Path, identity: Mapping[str, Any]) -> None:
        """Go on from the folder's checkpoint where there is one.

        Raises:
            ConfigError: the checkpoint belongs to a fit of other inputs or settings.
            FormatError: the checkpoint is damaged.
        """
        path = folder / NAME
        if not path.exists():
            return
        arrays, state = read_checkpoint(path, identity)
        try:
            self._load(arrays, state)
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            raise FormatError(f"checkpoint {path} lacks a part of its fit ({error}); remove {folder} to start anew") from error

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"image/{name}": value for name, value in self.image.state_dict().items()}
        if self.residual is not None:
            tensors |= {f"residual/{name}": value for name, value in self.residual.state_dict().items()}
        if self.correction is not None:
            tensors["correction"] = self.correction
        if self.artefact is not None:
            tensors["artefact"] = self.artefact
        for place, group in (("average", self.average), ("best", self.best)):
            tensors |= {f"{place}/{name}": value for name, value in group.items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{index}/{name}": value for name, value in moments.items()}
        return tensors

    @torch.no_grad()
    def _load(self, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
        # The digest and the identity were checked: names and shapes are those of this fit.
        like = next(self.image.parameters())
        tensors = {name: torch.from_numpy(np.array(array)).to(like.device) for name, array in arrays.items()}
        self.image.load_state_dict(_part(tensors, "image"))
        if self.residual is not None:
            self.residual.load_state_dict(_part(tensors, "residual"))
        if self.correction is not None:
            self.correction.copy_(tensors["correction"])
        self.artefact = tensors.get("artefact")
        self.average, self.best = _part(tensors, "average"), _part(tensors, "best")
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _part(tensors, "optimiser").items():
            index, _, key = name.partition("/")
            # in the memory layout of the weights, as Adam makes them: another order of the sums would change the last bits
            place = value.reshape(()) if key == "step" else torch.empty_like(parameters[int(index)]).copy_(value)
            moments.setdefault(int(index), {})[key] = place
        self.optimiser.load_state_dict({"state": moments, "param_groups": self.optimiser.state_dict()["param_groups"]})
        self.rule.restore(_part(tensors, "rule"), state["rule"])
        self.losses = [(int(iteration), dict(values)) for iteration, values in state["losses"]]
        self.step, self.first_loss = int(state["step"]), state["first_loss"]


def identity_of(config: DipConfig) -> dict[str, Any]:
    """Return the settings that decide what a step does: all but the budget and the spacing of checkpoints."""
    return config.model_dump(mode="json", exclude=_NOT_IN_IDENTITY)


def _generator(seeds: Seeds, *names: str | int) -> torch.Generator:
    return torch.Generator().manual_seed(seeds(*names))


def _part(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}/"): value for name, value in tensors.items() if name.startswith(f"{part}/")}
