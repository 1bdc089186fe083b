"""The shipped learned proximal networks, in both forms, at their defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from sciml.proximal import LearnedProximalNetwork, reconstruct
from sciml.studies.matrix.trial.contestant import Contestant, Outcome
from sciml.studies.matrix.trial.problems import Problem


def contestants(weights: Mapping[str, Path], tolerance: float) -> Iterator[Contestant]:
    """Yield networks.

    Args:
        weights: weight file by name of the method.
        tolerance: relative residual at which a reconstruction ends.
    """
    for name, path in weights.items():
        model = LearnedProximalNetwork.load(str(path))

        def run(problem: Problem, model=model) -> Outcome:
            found = reconstruct(problem.data, problem.told.physics, model, tolerance=tolerance)
            certified = found.certificate.certified and found.converged
            reason = found.certificate.reason if found.converged else "it ended above its tolerance"
            return Outcome(found.image, certified, reason)

        yield Contestant(name, run)
