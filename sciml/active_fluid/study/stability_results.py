"""What the stage `stability` writes as JSON and the page reads; every time is in units of the theory."""

from __future__ import annotations

from sciml.runtime.results import Result


class LongRun(Result):
    """A long run of a coarse model.

    Attributes:
        alpha, zeta: activity and alignment.
        closure: `bingham`, `learned` or `second`.
        stopped: why a guard stopped it; empty where it came to its end.
        time_step: its step.
        points: points a side of its grid; None in a run from before they were kept.
        reached: its last saved time.
        largest_order: largest |m1| of any place and time.
        late_order, late_speed: mean order and root mean square speed over the second half of the time.
    """

    alpha: float
    zeta: float
    closure: str
    stopped: str
    time_step: float
    points: int | None = None
    reached: float
    largest_order: float | None = None
    late_order: float | None = None
    late_speed: float | None = None

    def is_bounded(self, until: float) -> bool:
        """Return whether the run came to its end with an order of at most 1."""
        order = self.largest_order
        return not self.stopped and self.reached >= until - 1e-6 and order is not None and order <= 1


class Gradient(Result):
    """A derivative through the solver by three ways.

    Attributes:
        closure: closure of the coarse model.
        number: what the derivative is along.
        finite, forward, reverse: by finite differences, forward mode and reverse mode.
        error: larger relative difference of the two modes from finite differences.
    """

    closure: str
    number: str
    finite: float | None
    forward: float | None
    reverse: float | None
    error: float | None


class Stability(Result):
    """`stability/stability.json`.

    Attributes:
        until: last time of the long runs.
        rows: the long runs.
        samples: number of random inputs.
        least_slack: least (1 - |m1|^2) - |m2 - m1^2| over them.
        least_third_slack: least eigenvalue of the Toeplitz matrix of 1, m1, m2, m3 over as many; closure of second order.
        gradients: empty in a run from before they were checked.
    """

    until: float
    rows: list[LongRun]
    samples: int
    least_slack: float | None
    least_third_slack: float | None = None
    gradients: tuple[Gradient, ...] = ()

    @property
    def closures(self) -> list[str]:
        """Closures of the long runs."""
        return list(dict.fromkeys(row.closure for row in self.rows))

    def of(self, closure: str) -> list[LongRun]:
        """Return the long runs of a closure."""
        return [row for row in self.rows if row.closure == closure]

    def bounded(self, closure: str) -> int:
        """Return how many long runs of a closure stayed bounded to the end."""
        return sum(row.is_bounded(self.until) for row in self.of(closure))
