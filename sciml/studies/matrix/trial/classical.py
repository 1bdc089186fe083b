"""Methods of `sciml.imaging.METHODS`, of a user's own too, and installed priors: tuned on validation data, then run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from sciml.imaging.priors import resolve
from sciml.imaging.solvers.tuning import solve, tune
from sciml.imaging.tasks.catalogue import METHODS, TASKS, WEIGHT_GRID, Method
from sciml.studies.matrix.settings.rows import PRIOR
from sciml.studies.matrix.trial.contestant import Contestant, Outcome
from sciml.studies.matrix.trial.problems import Problem

UNPROVED = "it minimises nothing, or its solver ends without a proof that it is at the minimiser"


def method_of(name: str) -> Method:
    """Return a method of the catalogue, or proximal gradients with an installed prior for a name such as `prior:tv`."""
    if not name.startswith(PRIOR):
        return METHODS[name]
    prior = resolve(name.removeprefix(PRIOR))

    def solver(solvers, y, physics, value):
        return solvers.proximal_gradient(y, physics, prior, value * solvers.noise_weight(y, physics))

    return Method(name, tuple(TASKS), solver, "weight / (sigma x column norm)", WEIGHT_GRID, "")


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
        method = method_of(name)
        value = tune(method, told, data, truth).value if method.parameter else None

        def run(problem: Problem, method=method, value=value) -> Outcome:
            image = solve(method, problem.data, problem.told.physics, value or 0.0)
            return Outcome(image, False, UNPROVED)

        yield Contestant(name, run, method.parameter or "", value)
