"""What the stages `digits` and `prior` write as JSON and the page reads: what R knows of pictures.

Units as in `results`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ConfigDict

from sciml.proximal.study.results import Numbers
from sciml.runtime.results import Result

# --- R along corruptions, of both files ---


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
