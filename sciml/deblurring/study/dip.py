"""One fit of the study of untrained networks, and what the truth says of it afterwards.

The fit and its scores are two functions: `fit_of` sees a `Problem`, the truth never, and hands out copies of the running image;
`Scorer` sees those copies and the truth, and nothing comes back from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.deblurring.dip.fit import untrained
from sciml.deblurring.dip.result import Snapshot, Untrained
from sciml.deblurring.dip.warm import warm_fit
from sciml.deblurring.kernels.canonical import ncc
from sciml.deblurring.settings.structures import DipCell
from sciml.deblurring.solvers.image import map_estimate, noise_unit
from sciml.deblurring.study.cells import picture_of
from sciml.deblurring.study.metrics import rank_correlation
from sciml.deblurring.study.pairs import Problem, Truth
from sciml.deblurring.study.results import SeedScores
from sciml.deblurring.study.scores import display, display_psnr, residual_scores
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.seeds import Seeds

Watch = Callable[[int, Tensor], None]


@dataclass(frozen=True)
class Fit:
    """One fit and the classical image that it is compared with.

    Attributes:
        picture: what is returned, (1, 1, height, width).
        start: total variation with the same kernel; what a warm fit went on from.
        network: the networks' own image at the chosen iteration, before it was mixed with the start.
        found: everything else that the fit says.
        seconds: of the fit, by the processor's clock: several may share one machine.
    """

    picture: Tensor
    start: Tensor
    network: Tensor
    found: Untrained
    seconds: float


def fit_of(problem: Problem, kernel: Kernel, weight: float, cell: DipCell, seed: int, watch: Watch | None = None) -> Fit:
    """Fit untrained networks as a cell states.

    Args:
        problem: picture and noise.
        kernel: that the networks are given: the pair's own or the corrected one.
        weight: of the total variation that they start from and are compared with, in units of sigma |k|_2.
        cell: settings.
        seed: of the networks and of the held-out pixels.
        watch: called with iterations and copies of the running image of the picture.
    """
    y, sigma = problem.y, problem.sigma
    absolute = weight * noise_unit(kernel, sigma)

    def look(snapshot: Snapshot) -> None:
        if watch is not None:
            watch(snapshot.iteration, snapshot.image)

    if cell.start != "none":
        begin = time.process_time()
        warm = warm_fit(y, kernel, sigma, absolute, cell.fit, seed, on_image=lambda x, residual, snapshot: look(snapshot))
        seconds = time.process_time() - begin
        return Fit(picture_of(warm.image, y), picture_of(warm.start, y), picture_of(warm.fit.network, y), warm.fit, seconds)
    start = picture_of(map_estimate(y, kernel, "tv", absolute), y)
    begin = time.process_time()
    generator = torch.Generator().manual_seed(Seeds(seed)("networks"))
    found = untrained(y, kernel, sigma, cell.fit, generator=generator, on_iteration=look)
    seconds = time.process_time() - begin
    return Fit(found.image, start, picture_of(found.network, y), found, seconds)


@dataclass
class Scorer:
    """PSNR of display values along a run.

    Attributes:
        truth: of the pair.
        curve: iterations and PSNR.
    """

    truth: Truth
    curve: list[tuple[int, float]] = field(default_factory=list)

    def __call__(self, iteration: int, picture: Tensor) -> None:
        """Take in one image of a run."""
        self.curve.append((iteration, self.of(picture)))

    def of(self, picture: Tensor) -> float:
        """Return the PSNR of a picture (1, 1, height, width) in linear light."""
        return display_psnr(_light(picture), self.truth.picture)

    def at(self, iteration: int | None) -> float | None:
        """Return the PSNR at an iteration that was looked at."""
        return dict(self.curve).get(iteration) if iteration is not None else None


def scores_of(fit: Fit, scorer: Scorer, problem: Problem, given: Kernel) -> dict[str, Any]:
    """Return the numbers of one run, for a table.

    The gap is what the stop rule costs: PSNR of the networks' best running mean, which only the truth can point at, less that
    of the chosen one. What is returned may be a mixture, so `psnr` is not the chosen one's.

    Args:
        fit: of the run.
        scorer: that has watched it.
        problem: of the pair.
        given: kernel of the fit, against which the residual is counted.
    """
    found, truth = fit.found, scorer.truth
    iteration, oracle = max(scorer.curve, key=lambda one: one[1])
    chosen = scorer.of(fit.network)
    row: dict[str, Any] = {
        "psnr": scorer.of(fit.picture),
        "psnr_start": scorer.of(fit.start),
        "psnr_network": chosen,
        "psnr_last": scorer.curve[-1][1],
        "psnr_oracle": oracle,
        "oracle_at": iteration,
        "gap": oracle - chosen,
        "chosen": found.chosen,
        "iterations": found.iterations,
        "share": found.share,
        "fell_back": found.fell_back,
        "reason": found.reason,
        "stops": {rule: {"at": at, "psnr": scorer.at(at)} for rule, at in found.would_stop.items()},
        "seconds": fit.seconds,
        "seconds_per_iteration": fit.seconds / max(1, found.iterations),
    }
    if found.network_residual is not None:
        scores = residual_scores(_light(found.network_residual), truth, given, problem.sigma)
        row["residual"] = scores.model_dump(exclude_unset=True)
    if not np.array_equal(found.kernel, given):
        row["ncc"] = {"given": ncc(truth.kernel, given), "found": ncc(truth.kernel, found.kernel)}
    return row


def seed_scores(pictures: list[np.ndarray], truth: Truth) -> SeedScores:
    """Return how the standard deviation over seeds, in display values, compares with the error of the seeds' mean."""
    shown = np.stack([display(picture) for picture in pictures])
    spread, error = shown.std(0, ddof=1), shown.mean(0) - display(truth.picture)
    row = {"rms_spread": float(np.sqrt(np.mean(spread**2))), "rms_error": float(np.sqrt(np.mean(error**2)))}
    if np.ptp(spread) > 0:
        row["rank_correlation"] = rank_correlation(spread, np.abs(error))
    row["psnr_of_mean"] = display_psnr(np.mean(pictures, axis=0), truth.picture)
    return SeedScores(**row)


def _light(picture: Tensor) -> np.ndarray:
    return picture[0, 0].detach().cpu().numpy()
