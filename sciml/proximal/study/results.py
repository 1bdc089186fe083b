"""What the stages of the study write as JSON and the page reads.

Shares lie in [0, 1], noise levels are standard deviations on the scale of pictures from 0 to 1, R is the regulariser in its own
unit, PSNR is in dB. A number that is infinite or undefined is None.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ConfigDict

from sciml.imaging.tasks.records import CurvePoint, Quality
from sciml.runtime.results import Result

Numbers = Sequence[float | None]

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


# --- R along corruptions, of digits.json and prior.json ---


class Humps(Result):
    """Shares of mixed pairs whose R in the middle is above the chord, above both ends, and largest of all levels."""

    above_chord: float
    above_ends: float
    top_in_middle: float


class Landscape(Result):
    """R over the levels of a corruption, over many pictures.

    Attributes:
        levels: strength of the corruption, ascending.
        lower_quartile, median, upper_quartile: R at each level; None where it is infinite.
        median_rises_strictly: whether the median rises from each level to the next.
        share_rising_at_each_step: share of pictures whose R rises, for each step.
        share_rising_throughout: share of pictures whose R rises at every step.
        share_outside: share of pictures outside the range of f, for each level.
        lowest: subtracted from R of digits, which is known up to a constant.
        humps: what mixing says about convexity; None for noise and blur.
    """

    levels: Sequence[float]
    lower_quartile: Numbers
    median: Numbers
    upper_quartile: Numbers
    median_rises_strictly: bool
    share_rising_at_each_step: Sequence[float]
    share_rising_throughout: float
    share_outside: Sequence[float]
    lowest: float | None = None
    humps: Humps | None = None


class Landscapes(Result):
    """R along noise, blur and mixing."""

    noise: Landscape
    blur: Landscape
    mixing: Landscape

    def paths(self) -> dict[str, Landscape]:
        """Return the three corruptions by name."""
        return {"noise": self.noise, "blur": self.blur, "mixing": self.mixing}


# --- digits.json ---


class DenoisingErrors(Result):
    """Root mean square error a pixel and PSNR of noisy and of denoised pictures."""

    noisy_rmse: float
    denoised_rmse: float
    noisy_psnr: float
    denoised_psnr: float


class MatchingWeights(Result):
    """Weights exp(-mse / gamma^2) of the pictures in the matching loss: their mean, and the share of pictures that count."""

    mean_weight: float
    effective_share: float


class DigitStage(DenoisingErrors):
    """One stage of the training: its loss and steps, errors of validation digits, share of non-negative weights that are 0."""

    loss: str
    gamma: float | None
    steps: int
    zero_share: float
    mean_weight: float | None = None
    effective_share: float | None = None


class LevelDetection(Result):
    """Area under the receiver operating characteristic of R at one noise level."""

    level: float
    auroc: float


class DigitDetection(Result):
    """Areas under the curve that tells clean digits from noisy ones: by R, by total variation, and by R at each level."""

    sigma: float
    auroc: float
    auroc_total_variation: float
    levels: list[LevelDetection]


class DigitTargets(Result):
    """What a good prior of digits should do, and whether this one does."""

    median_rises_with_noise: bool
    median_rises_with_blur: bool
    median_rises_with_visible_blur: bool
    hump_for_more_than_80_percent: bool
    auroc_above_095: bool


class DigitLandscape(Result):
    """What R of test digits shows; `outside` is the share of all pictures outside the range of f."""

    prior: Landscapes
    detection: DigitDetection
    targets: DigitTargets
    outside: float


class DigitNumbers(DigitLandscape):
    """The study of digits: its training and how that ended, errors of test digits, size and certificate of the network."""

    training: list[DigitStage]
    ended: str
    test: DenoisingErrors
    parameters: int
    certificate: str


# --- prior.json ---


class PhotographLandscapes(Landscapes):
    """R a pixel of the named test photographs."""

    names: list[str]


class Reference(Result):
    """R a pixel of the validation slices: its median, and how many there are."""

    median: float
    slices: int


class SliceGroup(Result):
    """R a pixel of a group of CT slices, and how well it tells them from those of a head; or why there are none, `absent`.

    Attributes:
        quartiles, quartiles_total_variation: R and total variation a pixel, each at its three quartiles.
        auroc, auroc_two_sided, auroc_total_variation: area under the curve of R, of its distance from the reference's median, and
            of total variation.
        verdict: what that means.
        absent: why there are no slices.
    """

    quartiles: Numbers | None = None
    quartiles_total_variation: Numbers | None = None
    auroc: float | None = None
    auroc_two_sided: float | None = None
    auroc_total_variation: float | None = None
    verdict: str | None = None
    absent: str | None = None


class SliceDetection(Result):
    """R as a detector of CT slices that are no clean heads: reference, slices a group, and each group by its name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, SliceGroup]

    reference: Reference
    slices: int

    def groups(self) -> dict[str, SliceGroup]:
        """Return the groups by name: `head`, `abdomen`, `noisy` and `fbp_<views>`."""
        return self.__pydantic_extra__


class Directions(Result):
    """Leading eigenvectors of a posterior covariance: variance, share of the total, residual of each; the total variance."""

    variance: Sequence[float]
    share_of_total: Sequence[float]
    residual: Sequence[float]
    total_variance: float


class VarianceBin(Result):
    """A group of pixels: mean predicted variance and mean squared error."""

    predicted: float
    observed: float


class Calibration(Result):
    """How predicted variances of pixels compare with errors.

    Attributes:
        ratio: mean squared error over mean variance, 1 where the total is right.
        correlation: Pearson's, of standard deviation and absolute error.
        rank_correlation: Spearman's.
        ceiling: the Pearson correlation that true standard deviations of this spread would have with Gaussian errors.
        coverage_95: share of errors within 1.96 standard deviations.
        bins: pixels in groups of equal size by predicted variance.
        ratio_each: `ratio` of each picture.
        negative_share: share of pixels whose estimated variance is below 0.
    """

    ratio: float
    correlation: float
    rank_correlation: float
    ceiling: float
    coverage_95: float
    bins: list[VarianceBin]
    ratio_each: Sequence[float] | None = None
    negative_share: float | None = None


class Covariance(Result):
    """The posterior covariance of crops: directions of the first, calibration over all of them."""

    directions: Directions
    calibration: Calibration
    crops: int


class SigmaFactor(Result):
    """Mean PSNR of photographs whose noise level was given as a multiple of the true one."""

    factor: float
    psnr: float


class WrongSigma(Result):
    """What a wrong noise level costs."""

    noisy_psnr: float
    rows: list[SigmaFactor]
    photographs: int


class PriorNumbers(Result):
    """What the trained priors of photographs and of CT know; `readings` says it in sentences."""

    sigma: float
    photo_network: str
    ct_network: str
    photographs: PhotographLandscapes
    detection: SliceDetection
    covariance: Covariance
    wrong_sigma: WrongSigma
    readings: list[str]


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
