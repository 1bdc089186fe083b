"""Exponential moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Average of the weights over the past steps (Polyak and Juditsky, 1992, in its exponential form).

    Args:
        model: its present weights are the start of the average.
        decay: d in [0, 1).

    Attributes:
        tensors: averaged parameters and a copy of the buffers, by name.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors: dict[str, Tensor] = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self._parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after `step` (k, counted from 0).

        d_k = min(d, (1 + k) / (10 + k));  ā ← d_k ā + (1 - d_k) a

        The smaller early decay forgets the random start within some tens of steps. Buffers are copied.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if name in self._parameters:
                self.tensors[name].lerp_(value, 1 - decay)
            else:
                self.tensors[name].copy_(value)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Give `model` the averaged weights inside the block and its own back after it, bit for bit."""
        own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.tensors)
        try:
            yield
        finally:
            model.load_state_dict(own)
