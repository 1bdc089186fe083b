"""What the stages measure and the page shows."""

from __future__ import annotations

from sciml.runtime.results import Result
from sciml.studies.flow_from_images.study.movies import Role

PARAMETERS = ("alpha", "zeta")


class ArchiveResult(Result):
    """One archive: bits a pixel of its files, root mean square error in counts of 12 bits."""

    archive: str
    bits_a_pixel: float
    error_counts: float


class Noise(Result):
    """What an inference is told of the error of m1 from pictures.

    Attributes:
        noise_std: root mean square of white complex noise at a point.
        alike: how much more the sum of all frames has than that of independent ones; 1 where they are.
        gain_std: standard deviation of the logarithm of a factor of all frames.
        offset_std: root mean square of a complex offset of all frames.
    """

    noise_std: float
    alike: float = 1.0
    gain_std: float = 0.0
    offset_std: float = 0.0


class OrientationCase(Result):
    """One movie: relative error of m1, root mean square error of the director in degrees, share that was not seen.

    Errors are None where nobody knows the truth. The noise is what other movies tell, of a movie that calibrates too.
    """

    case: str
    role: Role
    error: float | None
    angle_deg: float | None
    hidden: float
    noise: Noise


class Orientation(Result):
    """The structure tensor of one combination: its calibration and its errors, movie by movie."""

    width_px: float
    gain: float
    noise: Noise
    error: float
    cases: list[OrientationCase]


class Estimate(Result):
    """One parameter: estimate, ends of the 90 % interval, truth where it is known."""

    value: float
    low: float
    high: float
    truth: float | None

    @property
    def covered(self) -> bool | None:
        """Whether the interval holds the truth."""
        return None if self.truth is None else self.low <= self.truth <= self.high

    @property
    def error(self) -> float | None:
        """Relative error, signed."""
        return None if self.truth is None else (self.value - self.truth) / abs(self.truth)


class Fit(Result):
    """One movie of one combination, fitted and followed beyond its last frame.

    Attributes:
        combination: ARCHIVE/SHARPENING, or the true frames.
        case: name of the movie.
        noise: `measured`, the error of the link before; or `guessed`, that of the family's own study.
        noise_std: root mean square of the complex noise of m1 that the fit was told.
        gain: what the fit believes to see over the order; 1 where it was told nothing of it.
        alpha, zeta: estimates.
        converged: whether the search ended at a minimum.
        p_value: probability of so large a misfit.
        verdict: of the goodness of fit.
        times: beyond the last frame.
        forecast, persistence: relative errors of m1 at these times, of the model and of the last fitted frame held; empty where
            nobody knows the truth.
    """

    combination: str
    case: str
    noise: str
    noise_std: float
    gain: float
    alpha: Estimate
    zeta: Estimate
    converged: bool
    p_value: float
    verdict: str
    times: list[float]
    forecast: list[float]
    persistence: list[float]

    def estimate(self, name: str) -> Estimate:
        """Return a parameter by name."""
        return getattr(self, name)


class FitResult(Result):
    """The fits of one combination.

    Attributes:
        rows: of movies that are judged, their intervals widened by the factors.
        calibration: of movies that calibrate, by what the others tell; their intervals are as the fit gave them.
        factors: of the intervals, by parameter; 1 of the true frames.
        lost: movies that could not be fitted, with the reason.
    """

    rows: list[Fit]
    calibration: list[Fit]
    factors: dict[str, float]
    lost: dict[str, str]
