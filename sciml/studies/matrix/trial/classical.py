"""The methods of `sciml.imaging.METHODS`, those of a user's own included: tuned on validation data, then run on a problem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from sciml.imaging.solvers.tuning import solve, tune
from sciml.imaging.tasks.catalogue import METHODS
from sciml.studies.matrix.trial.contestant import Contestant, Outcome
from sciml.studies.matrix.trial.problems import Problem

UNPROVED = "it minimises nothing, or its solver ends without a proof that it is at the minimiser"


def contestants(names: Sequence[str], validation: Sequence[Problem]) -> Iterator[Contestant]:
    """Yield methods ready to run, each with the parameter that the validation problems ask for.

    Args:
        names: of methods that apply to the row's task.
        validation: problems of the role `validation`, told one operator.
    """
    told = validation[0].told
    data = torch.cat([one.data for one in validation])
    truth = torch.cat([one.truth for one in validation])
    for name in names:
        method = METHODS[name]
        value = tune(method, told, data, truth).value if method.parameter else None

        def run(problem: Problem, method=method, value=value) -> Outcome:
            image = solve(method, problem.data, problem.told.physics, value or 0.0)
            return Outcome(image, False, UNPROVED)

        yield Contestant(name, run, method.parameter or "", value)
