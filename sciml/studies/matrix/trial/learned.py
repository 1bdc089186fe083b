"""The shipped learned proximal networks, in both forms, at their defaults, and their peers, which only denoise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from sciml.imaging.operators.physics import noise_of
from sciml.proximal import GuidedNetwork, LearnedProximalNetwork, load_denoiser, reconstruct
from sciml.studies.matrix.trial.contestant import Contestant, Outcome
from sciml.studies.matrix.trial.problems import Problem


def contestants(weights: Mapping[str, Path], tolerance: float) -> Iterator[Contestant]:
    """Yield networks.

    Args:
        weights: weight file by name of the method.
        tolerance: relative residual at which a reconstruction ends.
    """
    for name, path in weights.items():
        model = load_denoiser(path)

        def run(problem: Problem, model=model) -> Outcome:
            physics = problem.told.physics
            if not isinstance(model, LearnedProximalNetwork | GuidedNetwork):
                clean = model(problem.data, noise_of(physics).sigma(problem.data, physics))
                return Outcome(clean, False, "no proximal operator by construction")
            found = reconstruct(problem.data, physics, model, tolerance=tolerance)
            certified = found.certificate.certified and found.converged
            reason = found.certificate.reason if found.converged else "it ended above its tolerance"
            return Outcome(found.image, certified, reason)

        yield Contestant(name, run)
