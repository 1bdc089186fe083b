"""What the stages write as JSON: kernel steps, weights, scores, calibration, fits of untrained networks, the real photograph.

PSNR is in dB; pictures are compared in display values with a data range of 1.
"""

from __future__ import annotations

from sciml.runtime.errors import DataError
from sciml.runtime.results import Result


class ModelStep(Result):
    """What the correction of one given kernel found under one error model.

    Attributes:
        by: of `completion`, `warp` and `ridge` what was kept.
        verdict: of the step, `confident`, `doubtful` or `unchanged`.
        gain: fall of the held-out misfit, as a share.
        sentences: what was done and why.
        warp: turn in degrees, scale, and added variance in square pixels of the best warp.
    """

    by: list[str]
    verdict: str
    gain: float
    sentences: list[str]
    warp: tuple[float, float, float] | None = None


class KernelSteps(Result):
    """A row of `steps.json`: one pair under every error model that was asked for.

    Attributes:
        pair: its name.
        kernel: the step of the error model `kernel`; the true kernel's name where that was not asked for.
        error: of the given kernel.
        warp, both: the steps of these error models.
        seconds: of all of them.
    """

    pair: str
    kernel: ModelStep | str
    error: str
    warp: ModelStep | None = None
    both: ModelStep | None = None
    seconds: float

    def of(self, model: str) -> ModelStep:
        """Return the step of an error model.

        Raises:
            DataError: it was not asked for.
        """
        found = getattr(self, model)
        if not isinstance(found, ModelStep):
            raise DataError(f"the kernel of {self.pair} was not corrected under the error model {model}")
        return found


class TunedWeight(Result):
    """The weight of a prior under one error model, of `weights.json`.

    Attributes:
        weight: the one with the largest mean PSNR over validation pairs.
        psnr: that mean.
        curve: weights that were tried, ascending, and the mean PSNR at each.
    """

    weight: float
    psnr: float
    curve: list[tuple[float, float]]


class PictureScores(Result):
    """How near a picture comes to its truth.

    Attributes:
        psnr: of display values.
        ssim: of display values.
        psnr_light: PSNR of linear light.
        psnr_best_shift: PSNR of display values at the best shift, without a border.
        best_shift: that shift, rows and columns in pixels.
    """

    psnr: float
    ssim: float
    psnr_light: float
    psnr_best_shift: float
    best_shift: tuple[float, float]


class KernelScores(Result):
    """How near a kernel comes to the true one.

    Attributes:
        ncc: normalised correlation, 1 where equal.
        ncc_any_shift: the largest over displacements.
        blur_rms: root mean square of (k - k^) * x in units of the noise.
    """

    ncc: float
    ncc_any_shift: float
    blur_rms: float


class ResidualScores(Result):
    """How an estimated residual compares with r = (k - k^) * x.

    Attributes:
        rms: standard deviation of the estimate, in units of the noise.
        true_rms: that of r.
        correlation: of both; None where one of them is constant.
    """

    rms: float
    true_rms: float
    correlation: float | None = None


class PairScores(Result):
    """A row of `scores.json`.

    Attributes:
        photograph, kernel, error: names: of the photograph, of its true kernel and of what is wrong with the given one.
        blurred: scores of the blurred picture.
        step: how the kernel was corrected.
        cells: scores of restored pictures by cell, `prior/error model`.
        kernels: scores of kernels by error model.
        residuals: scores of residuals by error model.
    """

    photograph: str
    kernel: str
    error: str
    blurred: PictureScores
    step: KernelSteps
    cells: dict[str, PictureScores]
    kernels: dict[str, KernelScores]
    residuals: dict[str, ResidualScores]


class MapScores(Result):
    """What a map of spreads tells of the error of one pair.

    Attributes:
        photograph, kernel, error: names of the pair.
        rank_correlation: Spearman's, of spread and absolute error on blocks of pixels.
        coverage_before: share of the pixels within plus or minus two spreads.
        coverage: that share after calibration.
        rms_spread: after calibration, display values.
        rms_error: display values.
    """

    photograph: str
    kernel: str
    error: str
    rank_correlation: float
    coverage_before: float
    coverage: float
    rms_spread: float
    rms_error: float


class CalibrationResult(Result):
    """`calibration.json`: how maps of spreads were calibrated, and what they are worth.

    Attributes:
        factor, floor: of `sciml.deblurring.study.metrics.Calibration`.
        level: coverage that was asked for.
        validation, test: by pair.
        validation_deciles, test_deciles: rms spread and rms error in tenths of the pixels, from the least spread on.
    """

    factor: float
    floor: float
    level: float
    validation: list[MapScores]
    validation_deciles: list[tuple[float, float]]
    test: list[MapScores]
    test_deciles: list[tuple[float, float]]


class Stop(Result):
    """Where one rule alone would have stopped a fit.

    Attributes:
        at: iteration; None: nowhere.
        psnr: of the networks there.
    """

    at: int | None
    psnr: float | None


class FitScores(Result):
    """One fit of untrained networks, a row of `runs` in `runs.json`.

    Attributes:
        pair, photograph, kernel, error: names.
        cell: `error model/start`.
        seed: its number.
        psnr: of what is returned.
        psnr_start: of total variation with the same kernel.
        psnr_network: of the networks alone at the chosen iteration.
        psnr_last: at the last iteration.
        psnr_oracle: at the best iteration, which only the truth knows.
        oracle_at: that iteration.
        gap: psnr_oracle less psnr_network.
        chosen: iteration.
        iterations: that were done.
        share: of the networks' change that was taken.
        fell_back: whether the start was returned.
        reason: of the stop.
        stops: by rule.
        seconds: processor time.
        seconds_per_iteration: processor time.
        residual: of the residual network.
        ncc: of the `given` kernel and of the `found` one with the true one, where they differ.
    """

    pair: str
    photograph: str
    kernel: str
    error: str
    cell: str
    seed: int
    psnr: float
    psnr_start: float
    psnr_network: float
    psnr_last: float
    psnr_oracle: float
    oracle_at: int
    gap: float
    chosen: int
    iterations: int
    share: float
    fell_back: bool
    reason: str
    stops: dict[str, Stop]
    seconds: float
    seconds_per_iteration: float
    residual: ResidualScores | None = None
    ncc: dict[str, float] | None = None


class SeedScores(Result):
    """How the standard deviation over seeds compares with the error of the seeds' mean, in display values.

    Attributes:
        rms_spread: of the standard deviation.
        rms_error: of the mean over seeds.
        rank_correlation: Spearman's, of deviation and absolute error; None where the deviation is the same everywhere.
        psnr_of_mean: of the mean over seeds.
    """

    rms_spread: float
    rms_error: float
    rank_correlation: float | None = None
    psnr_of_mean: float


class CellSeeds(Result):
    """Several seeds of one cell on one pair.

    Attributes:
        pair, photograph, kernel, error, cell: names.
        count: of seeds.
        returned: of the returned pictures.
        networks: of the networks alone.
    """

    pair: str
    photograph: str
    kernel: str
    error: str
    cell: str
    count: int
    returned: SeedScores
    networks: SeedScores


Points = list[tuple[int, float | None]]


class DipResult(Result):
    """`runs.json`: the fits of untrained networks.

    Attributes:
        runs: a row a fit.
        baselines: PSNR by pair of the blurred picture and of total variation with the given, the corrected and the true kernel.
        seeds: where a cell ran with several.
        curves: by pair, cell and what is followed: iterations and values, of the pairs that are shown.
    """

    runs: list[FitScores]
    baselines: dict[str, dict[str, float]]
    seeds: list[CellSeeds]
    curves: dict[str, dict[str, dict[str, Points]]]


class PhotoScores(Result):
    """What one cell makes of the real photograph, a row of `photo.json`; the blurred one has a blur index alone.

    Attributes:
        cell: `prior/error model`, or `blurred`.
        blur_index: of Crete et al. 2007, from 0 (sharp) to 1.
        misfit: in units of the noise.
        held_out: misfit of held-out pixels, that of the estimated kernel being 1.
        noise: standard deviation, linear light.
        seconds: of the restoration.
        sentences: what was done.
        warnings: of the restoration.
    """

    cell: str
    blur_index: float
    misfit: float | None = None
    held_out: float | None = None
    noise: float | None = None
    seconds: float | None = None
    sentences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class TurnedResult(Result):
    """A sharp photograph shaken by a camera that turned as well, and what is made of it from the picture alone.

    Attributes:
        photograph: its id.
        turn_degrees: standard deviation of the true angle over the exposure.
        found_degrees: that of the estimated poses.
        agreement: of the poses of every other tile and of the others, or None.
        psnr_db: by the kernel in use (`blurred`: none): PSNR at the best shift, display values.
    """

    photograph: str
    turn_degrees: float
    found_degrees: float
    agreement: float | None
    psnr_db: dict[str, float]


class PhotoResult(Result):
    """`photo.json`.

    Attributes:
        photograph: its id.
        notes: of the estimated kernel.
        rows: by cell.
        turned: the photograph of the camera that turned.
    """

    photograph: str
    notes: list[str]
    rows: list[PhotoScores]
    turned: TurnedResult
