"""What the stage `recover` writes as JSON and the page reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sciml.runtime.results import Result

TWIN, KINETIC = "closed model", "kinetic"


class Estimate(NamedTuple):
    """A parameter as an experiment found it.

    Attributes:
        truth, start: true value, and value that the search started from.
        value, low, high: estimate and ends of its 90 % interval; None where the search gave no number.
        covered: whether the interval holds the truth.
        error: (value - truth) / |truth|.
        noise_half: half the width of the interval from the noise alone; None in a run from before it was written.
    """

    truth: float
    start: float
    value: float | None
    low: float | None
    high: float | None
    covered: bool
    error: float | None
    noise_half: float | None = None

    @property
    def relative_half(self) -> float:
        """Half the width of the interval over the size of the truth, NaN where the search gave no number."""
        return np.nan if self.low is None or self.high is None else (self.high - self.low) / 2 / abs(self.truth)

    @property
    def covered_by_noise(self) -> bool | None:
        """Whether the interval from the noise alone holds the truth; None where it is not known."""
        return None if self.noise_half is None or self.value is None else abs(self.value - self.truth) <= self.noise_half


class Experiment(Result):
    """A parameter inference whose truth is known; alpha and zeta as in `Estimate`.

    Attributes:
        data: where the snapshots come from: `closed model` or `kinetic`.
        seed: seed of initial state, noise and start.
        noise_ratio: noise found over noise added.
        steps: length of the search.
        converged: whether the search came to an end.
        p_value, verdict: goodness of fit, see `sciml.active_fluid.inference.goodness`; None and empty in older runs.
    """

    data: str
    seed: int
    alpha_truth: float
    alpha_start: float
    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None
    alpha_covered: bool
    alpha_error: float | None
    zeta_truth: float
    zeta_start: float
    zeta: float | None
    zeta_low: float | None
    zeta_high: float | None
    zeta_covered: bool
    zeta_error: float | None
    noise_ratio: float | None
    steps: int
    converged: bool
    alpha_noise_half: float | None = None
    zeta_noise_half: float | None = None
    p_value: float | None = None
    verdict: str = ""

    def estimate(self, name: str) -> Estimate:
        """Return what was found of `alpha` or of `zeta`."""
        keys = (f"{name}{end}" for end in ("_truth", "_start", "", "_low", "_high", "_covered", "_error", "_noise_half"))
        return Estimate(*(getattr(self, key) for key in keys))


class RecoveryResult(Result):
    """`recover/recovery.json`.

    Attributes:
        noise: standard deviation of the noise over the root mean square of the fields.
        points: side of the grid.
        rows: the experiments.
    """

    noise: float
    points: int
    rows: list[Experiment]

    def of(self, data: str) -> list[Experiment]:
        """Return the experiments with data of a kind: `closed model` or `kinetic`."""
        return [row for row in self.rows if row.data == data]
