"""Computations of each family that run to their end on the processor and on the pretended device, by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from other_device import DEVICE, DeviceGenerator
from torch import Tensor, nn

Device = torch.device
Results = Tensor | tuple[Tensor, ...]
Computed = Callable[[Device], Results]

CASES: dict[str, Computed] = {}
PICTURE = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0))


def case(compute: Computed) -> Computed:
    """Register a computation under the name of its function."""
    CASES[compute.__name__] = compute
    return compute


def numbers(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return numbers between 0 and 1, on the processor."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def draws(device: Device) -> torch.Generator:
    """Return a generator as the training loop makes one for a device."""
    return (DeviceGenerator() if device == DEVICE else torch.Generator()).manual_seed(3)


def gradients(network: nn.Module, loss: Tensor) -> Tensor:
    """Return all gradients of a loss."""
    loss.backward()
    return torch.cat([weight.grad.reshape(-1) for weight in network.parameters() if weight.grad is not None])
