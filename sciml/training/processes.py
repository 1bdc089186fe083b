"""One training in several processes, as `torchrun` starts them: each takes its rows of every batch, all make the same step.

    g = (1 / P) sum over processes p of grad loss(a; rows p, p + P, p + 2 P, ... of the batch)

is the gradient of the whole batch, since losses are means over rows. Batches and random numbers are drawn whole by every process
from the one seed, and each keeps its rows, so that the curve is that of one process up to the order of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as group
from torch import Tensor, nn

from sciml.runtime.errors import ConfigError
from sciml.runtime.processes import count, rank

Anything = TypeVar("Anything")
_in_step = False


def join(model: nn.Module, device: torch.device, folder: Path) -> None:
    """Meet the other processes, and begin with the first one's weights.

    Args:
        model: to be trained.
        device: of the training.
        folder: where this process keeps its files.

    Raises:
        ConfigError: the folder is that of the first process too.
    """
    if count() == 1:
        return
    if not group.is_initialized():
        group.init_process_group("nccl" if device.type == "cuda" else "gloo")
    if of_first(folder.resolve()) == folder.resolve() and rank():
        raise ConfigError(
            f"all processes would write to {folder}: give all but the first a folder of their own, to be thrown away"
        )
    for tensor in model.state_dict().values():
        group.broadcast(tensor, 0)


@contextmanager
def step() -> Iterator[None]:
    """Let `drawn` give rows: validations, which the first process does alone, draw all of theirs."""
    global _in_step
    _in_step = count() > 1
    try:
        yield
    finally:
        _in_step = False


def drawn(draw: Callable[..., Tensor], shape: Sequence[int], **more: Any) -> Tensor:
    """Return random numbers for the rows of a batch that this process has, those that one process alone would draw for them.

    Args:
        draw: called with the sizes, such as `torch.randn`.
        shape: sizes, rows first.
        more: further arguments of it: `generator`, `device`.
    """
    shares, own = (count(), rank()) if _in_step else (1, 0)
    return draw(shares * shape[0], *shape[1:], **more)[own::shares]


def rows(batch: Any) -> Any:
    """Return this process's rows of every array and tensor of a batch, every P-th; other values as they are.

    Raises:
        ConfigError: there are not as many rows for each process.
    """
    if count() == 1:
        return batch
    if isinstance(batch, list | tuple):
        return type(batch)(rows(item) for item in batch)
    if isinstance(batch, Mapping):
        return {name: rows(item) for name, item in batch.items()}
    if not getattr(batch, "ndim", 0):
        return batch
    if len(batch) % count():
        raise ConfigError(f"a batch of {len(batch)} cannot be shared by {count()} processes: take a number that divides it")
    return batch[rank() :: count()]


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Give every process the mean of all gradients."""
    if count() == 1:
        return
    slopes = [parameter.grad for parameter in parameters if parameter.grad is not None]
    together = torch.cat([slope.flatten() for slope in slopes])
    group.all_reduce(together)
    parts = (together / count()).split([slope.numel() for slope in slopes])
    for slope, part in zip(slopes, parts, strict=True):
        slope.copy_(part.view_as(slope))


def summed(values: Sequence[float], device: torch.device) -> list[float]:
    """Return each value summed over processes."""
    if count() == 1:
        return list(values)
    total = torch.tensor(values, dtype=torch.float64, device=device)
    group.all_reduce(total)
    return total.tolist()


def largest(value: int, device: torch.device) -> int:
    """Return the largest value of all processes."""
    if count() == 1:
        return value
    found = torch.tensor(value, device=device)
    group.all_reduce(found, group.ReduceOp.MAX)
    return int(found)


def of_first(value: Anything) -> Anything:
    """Return the first process's value."""
    if count() == 1:
        return value
    held = [value]
    group.broadcast_object_list(held, 0)
    return held[0]


class SameBuffers:
    """Refuses a model whose buffers follow its batches, such as counts of words: those of each process would go their own way.

    Args:
        model: before its first step.
    """

    def __init__(self, model: nn.Module) -> None:
        self.before = {name: value.clone() for name, value in model.named_buffers()} if count() > 1 else {}

    def check(self, model: nn.Module) -> None:
        """Look at the model after the step.

        Raises:
            ConfigError: the name of such a buffer.
        """
        now = dict(model.named_buffers())
        for name, value in self.before.items():
            if not torch.equal(value, now[name]):
                raise ConfigError(f"the model counts what it sees in {name}, so one process trains it: leave torchrun out")
        self.before = {}
