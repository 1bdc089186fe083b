"""The restoration network and the cascades of codebooks."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from device_cases import Device, Results, case, draws, gradients, numbers
from sciml.compression.coding.network import Restorer
from sciml.compression.fitting.pairs import relative_error
from sciml.compression.neural.learning import loss_of, reviver
from sciml.compression.neural.model import cascade_of
from sciml.compression.neural.small import SmallCascade
from sciml.compression.settings.models import CascadeConfig
from sciml.training import TrainingConfig
from sciml.training.state import TrainingState
from sciml.training.step import optimise


@case
def restorer(device: Device) -> Tensor:
    torch.manual_seed(0)
    network = Restorer(3, width=8, depth=1).to(device)
    decoded = numbers(2, 3, 24, 24).to(device)
    batch = {"decoded": decoded, "original": decoded.flip(-1), "step": torch.tensor([0.1, 0.2], device=device)}
    config = TrainingConfig(steps=2, ema_decay=0.5)
    state = TrainingState(network, config, 0, {})
    assert state.average is not None
    for step in range(2):
        optimise(state, relative_error, batch, draws(device), 0.01, config, Path())
        state.average.update(network, step)
    return torch.cat([value.reshape(-1) for value in state.average.tensors.values()])


def learned_and_coded(network: torch.nn.Module, estimator: str, device: Device) -> Results:
    """Return the gradients of a step, and a picture after its codes."""
    seen = numbers(1, 3, 128, 128, seed=4).to(device)
    found = gradients(network.train(), loss_of(0.01, estimator)(network, seen, draws(device))[0])
    reviver(1, 9)(network)
    codes = network.eval().encode(seen[..., :100, :], 0.01)
    network.codebook(0).set_tables(torch.full_like(network.codebook(0).bits, 0.5))
    return found, network.decode(codes, 100, 128), network.codebook(0).values(codes[0])


@case
def published_cascade(device: Device) -> Results:
    torch.manual_seed(0)
    config = CascadeConfig.model_validate({"preset": "published", "width": 8, "words": (4, 8, 16)})
    return learned_and_coded(cascade_of(config).to(device), "gumbel", device)


@case
def small_cascade(device: Device) -> Results:
    torch.manual_seed(0)
    return learned_and_coded(SmallCascade(8, fine=(1, 1, 2, 4), coarse=(1, 1), words=(4, 4, 8)).to(device), "straight", device)
