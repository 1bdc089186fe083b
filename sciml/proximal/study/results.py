"""What the stages of the study write as JSON and the page reads; what R knows of pictures is in `prior_results`.

Shares lie in [0, 1], noise levels are standard deviations on the scale of pictures from 0 to 1, R is the regulariser in its own
unit, PSNR is in dB. A number that is infinite or undefined is None.
"""

from __future__ import annotations

from collections.abc import Sequence

from sciml.imaging.tasks.records import CurvePoint, Quality
from sciml.runtime.results import Result

Numbers = Sequence[float | None]
# solver of a run whose thresholds were read off a first solution
GUIDED = "guided"

# --- toy.json ---


class LineErrors(Result):
    """Distances of a denoiser f and its regulariser R on the line, from the exact minimiser of its own loss and from the MAP.

    Attributes:
        target: the loss: `l1`, `mse` or `gamma-<g>`.
        own_max, own_mean: largest and mean distance of f from the exact minimiser.
        map_max, map_mean: largest and mean distance of f from the MAP.
        slope_max: largest slope of f.
        prior_map_max, prior_map_mean: largest and mean distance of R from |x|.
        prior_own_max, prior_own_mean: largest and mean distance of R from that of the exact minimiser, where its potential
            is known.
    """

    target: str
    own_max: float
    own_mean: float
    map_max: float
    map_mean: float
    slope_max: float
    prior_map_mean: float | None
    prior_map_max: float | None
    prior_own_max: float | None = None
    prior_own_mean: float | None = None


class LearnedLineErrors(LineErrors):
    """Errors of one network on the line after one stage: `small` or `published`, and the seed of its weights."""

    network: str
    seed: int


class PlaneErrors(Result):
    """Relative errors of a network on another prior after one stage, over `points` samples that its training never saw.

    Attributes:
        prior: name of the prior.
        sigma: noise level.
        target: the loss, as in `LineErrors`.
        points: number of samples.
        map_relative: relative error of f against the MAP.
        own_relative: relative error of f against the exact minimiser of the loss, where that is known.
    """

    prior: str
    sigma: float
    target: str
    points: int
    map_relative: float
    own_relative: float | None = None


class ToyNumbers(Result):
    """Networks on priors with a known answer: learned and exact ones on the line, all other priors, and how trainings ended."""

    laplace: list[LearnedLineErrors]
    exact: list[LineErrors]
    priors: list[PlaneErrors]
    endings: dict[str, str]


# --- colour.json ---


class PictureQuality(Quality):
    """A metric over pictures, with the value of each."""

    values: Numbers


class ColourScores(Result):
    """PSNR and SSIM of a method at one noise level, and on how many pictures it is above joint total variation."""

    psnr: PictureQuality
    ssim: PictureQuality
    above_tv: int


class TunedParameter(Result):
    """A classical parameter chosen on validation photographs; `bracketed` where both sides of it are worse."""

    parameter: str
    value: float
    bracketed: bool
    curve: list[CurvePoint]


class ColourRuns(Result):
    """How a network denoised the pictures of a noise level: certificate and gradients of each, and what is certain of them."""

    certified: list[bool]
    reason: str
    gradients: list[int]


class ColourLevel(Result):
    """One noise level: scores of every method, what was tuned, and how the networks ran."""

    sigma: float
    methods: dict[str, ColourScores]
    tuned: dict[str, TunedParameter]
    runs: dict[str, ColourRuns]


class ColourNumbers(Result):
    """Denoising of colour photographs.

    Attributes:
        networks: names of the networks called `colour` and `grey`.
        titles: method and its title, in the order of the tables.
        pictures, validation: names of the test and of the validation photographs.
        size: pixels a side.
        shown: the photograph whose pictures are kept.
        levels: scores and runs at each noise level, ascending.
        reading: what the numbers show.
    """

    networks: dict[str, str]
    titles: list[tuple[str, str]]
    pictures: list[str]
    validation: list[str]
    size: int
    shown: str
    levels: list[ColourLevel]
    reading: str


# --- certificates.json, runs.json, ablations.json ---


class InvariantRow(Result):
    """One property that holds for any weights of a correct network; see `sciml.proximal.certificates.subject.Invariant`."""

    id: str
    name: str
    value: float | None
    threshold: float | None
    comparison: str
    passed: bool
    note: str
    witness: str

    @property
    def applies(self) -> bool:
        """Whether the property exists for the network."""
        return self.comparison != "n/a"


Certificates = dict[str, list[InvariantRow]]


class RunNumbers(Result):
    """The numbers behind a certificate of convergence, see `sciml.proximal.reconstruction.convergence.certify`."""

    norm_squared: float
    column_norm: float
    adjoint_gap: float
    weight: float
    weak_convexity: float | None
    smoothness: float | None
    length: float | None
    largest_rise: float | None
    allowed_rise: float | None
    residual: float | None
    relative_residual: float | None
    threshold: float
    convex: bool
    distance_bound: float | None = None


class Run(Result):
    """One network on one variant of a task; of a network that is no prox only the first five are known.

    Attributes:
        variant, order: the variant and its place.
        network: name.
        certified, reason: whether convergence is certain, and why or why not.
        numbers: behind the certificate.
        solver: `variational`, `pgd` or `admm`.
        gradients: how many were taken.
        converged: whether the residual reached the tolerance.
        monotone: whether the objective never rose beyond rounding.
        objective: F along the iterations, summed over the pictures.
        sigma, weight: noise level and weight of R for each picture.
        psnr_along: iteration, then PSNR of each picture.
        below_best_db: fall of each picture's PSNR from its best iterate to its last.
        drift_db: what three times the gradients change, for each picture, where that was computed.
    """

    variant: str
    order: int
    network: str
    certified: bool
    reason: str
    numbers: RunNumbers | None = None
    solver: str | None = None
    gradients: int = 0
    converged: bool = False
    monotone: bool = False
    objective: Sequence[float] = ()
    sigma: Sequence[float] = ()
    weight: Sequence[float] = ()
    psnr_along: Sequence[tuple[int | float | None, ...]] = ()
    below_best_db: Sequence[float] = ()
    drift_db: Sequence[float] = ()


# dB, by which a network of one noise level may be better than the one for all
WITHIN_DB = 0.1


class AblationRow(Result):
    """A network at one noise level of its training, on validation crops.

    Attributes:
        network, reference: the network, and what it is compared with.
        sigma: noise level.
        psnr_n, psnr_3n: PSNR at N and at 3 N gradients of the solver; equal where nothing is solved for.
        difference_db: `psnr_3n` less that of the reference.
        within: whether `difference_db` is at most WITHIN_DB, for a network of one noise level; else None.
        parameters: number of weights.
        cpu_minutes: processor time of its training.
    """

    network: str
    reference: str
    sigma: float
    psnr_n: float
    psnr_3n: float
    difference_db: float
    within: bool | None
    parameters: int
    cpu_minutes: float
