"""What every method of the matrix is: a name, and a function from a problem to a picture and what is proved of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from sciml.studies.matrix.trial.problems import Problem


@dataclass(frozen=True)
class Outcome:
    """What a method made of a problem.

    Attributes:
        image: on the grid of the physics that it was told.
        certified: whether it is proved to be a critical point of the method's objective for the operator that it was told.
        reason: why, or why not, in one sentence.
    """

    image: Tensor
    certified: bool
    reason: str


@dataclass(frozen=True)
class Contestant:
    """A method on one row.

    Attributes:
        name: column of the matrix.
        solve: from a problem to an outcome.
        parameter: what was tuned on validation data, in words; empty where nothing was.
        value: of that parameter.
    """

    name: str
    solve: Callable[[Problem], Outcome]
    parameter: str = ""
    value: float | None = None
