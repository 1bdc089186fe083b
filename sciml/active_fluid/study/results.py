"""What the stages of the study write as JSON and the page reads; every time and rate is in units of the theory."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from sciml.runtime.results import Result

Point = tuple[float, float]
Series = list[float | None]
Pair = tuple[Series, Series]
BINGHAM, ORDER, OFFLINE, ROLLOUT, SHIPPED = "bingham", "order", "offline", "rollout", "shipped"
BURG, SECOND = "burg", "second"
FIXED = ("quadratic", BINGHAM)
KNOWN = (*FIXED, ORDER, OFFLINE, ROLLOUT, SHIPPED, BURG, SECOND)
# modes at which the kinetic theory is cut: its runs that are as cheap as a closure
CUT = (2, 3, 4, 5, 6)


class Score(Result):
    """A closure beside one kinetic run. Of pairs of series the first is the run's, the second the truth's.

    Attributes:
        place: number of the kinetic run.
        alpha, zeta: activity and alignment.
        initial: seed of the initial state.
        closure: name of the closure.
        seed: number of the training; 0 for a closure that is not trained.
        closure_error: relative L2 error of h* m2 on the kinetic fields, all times together; None where the model keeps m2.
        errors: relative L2 error of m1 at each saved time.
        first_above: time at which that error passes the threshold; the last time where it does not.
        passes: whether it passes.
        order: mean order over time.
        speed: root mean square speed over time.
        defects: number of defects of both charges over time.
        spectrum: power of the velocity at the last time.
        wave_numbers: wave numbers k of the spectra.
    """

    place: int
    alpha: float
    zeta: float
    initial: int
    closure: str
    seed: int
    closure_error: float | None
    errors: Series
    first_above: float | None
    passes: bool
    order: Pair
    speed: Pair
    defects: tuple[list[int], list[int]]
    spectrum: Pair
    wave_numbers: list[float]

    @property
    def point(self) -> Point:
        """Alpha and zeta."""
        return self.alpha, self.zeta


class FourthMoment(Result):
    """The fourth moment f4 over the order q, see `sciml.active_fluid.study.fourth_moment`.

    Attributes:
        q: orders of the curves.
        zeta: alignment of the curves.
        at_rest: f4 at each q where nothing flows, by closure, and `exact` from Bessel functions.
        edges: edges of the bins of q.
        bands: the 5 %, 50 % and 95 % quantiles of f4 less Bingham's in each bin, by closure and `kinetic`; None where a bin
            holds hardly anything.
    """

    q: list[float]
    zeta: float
    at_rest: dict[str, Series]
    edges: list[float]
    bands: dict[str, list[Series]]


class Scores(Result):
    """`evaluate/scores.json`: every closure beside the kinetic theory.

    Attributes:
        times: saved times.
        threshold: field error whose first time is compared.
        rows: one a kinetic run, closure and training.
        cut: one a kinetic run and number of modes at which the kinetic theory is cut; `closure` is that number.
        fourth_moment: None where it was not computed.
    """

    times: list[float]
    threshold: float
    rows: list[Score]
    fourth_moment: FourthMoment | None = None
    cut: tuple[Score, ...] = ()

    @property
    def closures(self) -> list[str]:
        """Names of the closures, from the simplest on."""
        names = list(dict.fromkeys(row.closure for row in self.rows))
        return sorted(names, key=lambda name: KNOWN.index(name) if name in KNOWN else len(KNOWN))

    @property
    def points(self) -> list[Point]:
        """Pairs of alpha and zeta, in their order."""
        return list(dict.fromkeys(row.point for row in self.rows))

    @property
    def runs(self) -> int:
        """Number of kinetic runs."""
        return len({row.place for row in self.rows})

    @property
    def runs_a_point(self) -> int:
        """Least number of initial states of a point."""
        return min(len({row.place for row in self.at(point)}) for point in self.points)

    def at(self, point: Point) -> list[Score]:
        """Return the rows of a point."""
        return [row for row in self.rows if row.point == point]

    def of(self, closure: str, point: Point | None = None, seed: int | None = None) -> list[Score]:
        """Return the rows of a closure, of one point and one training where they are given."""
        rows = self.rows if point is None else self.at(point)
        return [row for row in rows if row.closure == closure and seed in (None, row.seed)]

    def seeds(self, closure: str) -> list[int]:
        """Return the numbers of a closure's trainings; a closure that is not trained has the one 0."""
        return sorted({row.seed for row in self.of(closure)})

    def mean(self, closure: str, key: str, point: Point | None = None, seed: int | None = None) -> float:
        """Return the mean of a number over runs and trainings, NaN where one is missing or there are none."""
        values = np.array([getattr(row, key) for row in self.of(closure, point, seed)], dtype=float)
        return float(values.mean()) if values.size else np.nan

    def series(self, closure: str, key: str, part: int | None = None) -> Float[np.ndarray, "rows values"]:
        """Return the series of all rows of a closure, NaN where a run has diverged.

        Args:
            closure: name of the closure.
            key: name of the series.
            part: 0 for the run, 1 for the truth, where the series is a pair.
        """
        found = [getattr(row, key) for row in self.of(closure)]
        return np.array(found if part is None else [pair[part] for pair in found], dtype=float)


class RateRow(Result):
    """A row of `theory/rates.json`: growth rates of one wave on the isotropic state.

    Attributes:
        alpha, zeta: activity and alignment.
        model: `kinetic`, or the closure of the coarse model.
        n_x, n_y: whole waves in the box along x and y.
        k: wave number.
        cross, parallel, density: rates of the dispersion relation, of rods at 45 degrees to the wave vector, along or across it,
            and of the density.
        cross_operator, parallel_operator, density_operator: rates of the linearised right-hand side.
        cross_in_run, parallel_in_run: rates measured in runs.
    """

    alpha: float
    zeta: float
    model: str
    n_x: int
    n_y: int
    k: float
    cross: float
    parallel: float
    density: float
    cross_operator: float | None
    parallel_operator: float | None
    density_operator: float | None
    cross_in_run: float | None
    parallel_in_run: float | None

    @property
    def point(self) -> Point:
        """Alpha and zeta."""
        return self.alpha, self.zeta

    @property
    def operator_error(self) -> float:
        """Largest difference of the linearised right-hand side from the formula, NaN where a rate is none."""
        pairs = [(self.cross_operator, self.cross), (self.parallel_operator, self.parallel)]
        return _largest([*pairs, (self.density_operator, self.density)])

    @property
    def run_error(self) -> float:
        """Largest difference of a run from the formula, NaN where a rate is none."""
        return _largest([(self.cross_in_run, self.cross), (self.parallel_in_run, self.parallel)])


def _largest(pairs: list[tuple[float | None, float]]) -> float:
    return float(np.max([np.nan if found is None else abs(found - exact) for found, exact in pairs]))


class CostRow(Result):
    """A row of `cost/cost.json`.

    Attributes:
        model: solver and closure in words.
        points: side of the grid.
        precision: double or single.
        seconds: CPU seconds of a step.
        compile_seconds: seconds of compilation.
    """

    model: str
    points: int
    precision: str
    seconds: float
    compile_seconds: float


class HistoryRow(Result):
    """A row of `history.csv` of a training.

    Attributes:
        seed: number of the training.
        phase: `offline` or `rollout`.
        step: steps or updates that are done.
        loss: training loss.
        validation_closure_error: mean relative L2 error of h* m2 over the validation runs.
    """

    seed: int
    phase: str
    step: int
    loss: float
    validation_closure_error: float


class KineticRun(Result):
    """What stands beside the arrays of a kinetic run: parameters by name, seed of the initial state, least slack."""

    parameters: dict[str, float]
    seed: int
    slack: float
