"""A case, measured by a row's true operator and handed to the methods with the operator that they are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from sciml.deblurring import perturbed
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.tasks.problems import with_kernel
from sciml.imaging.tasks.task import Task, task
from sciml.runtime.seeds import Seeds
from sciml.studies.matrix.settings.rows import ROWS, Row
from sciml.studies.matrix.trial.cases import TrueCase


@dataclass(frozen=True)
class Problem:
    """One case of one row.

    Attributes:
        row: name of the row.
        case: the true picture.
        seed: number of the noise seed.
        truth: the picture that is scored, (1, 1, height, width) in [0, 1].
        data: y, as the true operator makes it.
        told: the task with the operator that the methods get.
        draw: seed of a method's own random numbers.
    """

    row: str
    case: TrueCase
    seed: int
    truth: Tensor
    data: Tensor
    told: Task
    draw: int

    def picture(self, image: Tensor) -> Tensor:
        """Return what of a reconstruction is scored, on [0, 1]."""
        return self.told.picture(image)


def true_task(row: Row, size: int, seed: int) -> Task:
    """Return the task that measures, at a row's size; kernel, mask and phase follow from the seed."""
    height, width = (min(size, most) for most in row.most)
    return task(row.task, (height, width), seed, **row.truth)


@lru_cache(maxsize=2)
def _plain_task(name: str, size: tuple[int, int], seed: int) -> Task:
    """Return a task with its default options; the matrix of a parallel beam is made once for all cases."""
    return task(name, size, seed)


def told_task(row: Row, true: Task, generator: np.random.Generator) -> Task:
    """Return the task that the methods are told: the true one, or one whose operator is wrong as the row says."""
    if row.truth:
        return _plain_task(row.task, true.size, true.seed)
    if row.kernel_error and isinstance(true.physics, ValidBlur):
        kernel = true.physics.kernel.numpy().astype(np.float64)
        return with_kernel(true, perturbed(kernel.reshape(kernel.shape[-2:]), row.kernel_error, generator))
    return true


def measured(name: str, cases: Sequence[TrueCase], true: Task, seeds: Seeds, seed: int, role: str = "test") -> Iterator[Problem]:
    """Yield the problem of every case at one noise seed.

    Args:
        name: of the row.
        cases: pictures of the size of the task's canvas.
        true: the task that measures.
        seeds: all named seeds of the run.
        seed: number of the noise seed.
        role: `test`, or `validation`, whose cases share one wrong operator.
    """
    row = ROWS[name]
    for case in cases:
        place = () if role == "validation" else (case.name,)
        told = told_task(row, true, np.random.default_rng(seeds("operator", name, role, seed, *place)))
        x = torch.from_numpy(case.array)[None, None]
        data = true.measure(x, torch.Generator().manual_seed(seeds("noise", name, role, seed, case.name)))
        yield Problem(name, case, seed, true.picture(x), data, told, seeds("method", name, role, seed, case.name))
