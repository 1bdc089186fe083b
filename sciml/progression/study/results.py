"""What the stages `predict`, `evaluate` and `person` write as JSON and the page reads.

Regions and groups of pairs are keys of mappings: regions as in `REGIONS`, groups `all`, diagnoses, spans of the years ahead
(`below 2 y`, `2 to 4 y`, `4 y and more`, `3 y and more`) and visits known (`1 visit`, `2 visits and more`). A group without pairs
is no key. Changes are those of ln V; a point is 0.01.
"""

from __future__ import annotations

from typing import Literal

from sciml.runtime.results import Result

Diagnosis = Literal["CN", "MCI", "AD"]
Kind = Literal["baseline", "model", "ablation", "ceiling"]
MOVED_IMAGES = "moved_images"


class PairRow(Result):
    """One pair of `pairs.json`.

    Attributes:
        subject: whose visits they are.
        start: number of the visit A that is forecast from.
        followup: number of the visit B that is forecast.
        history: visits known, up to A.
        gap_years: from A to B.
        diagnosis: at A.
    """

    subject: str
    start: int
    followup: int
    history: int
    gap_years: float
    diagnosis: Diagnosis


class ChangeScore(Result):
    """How well changes of ln V are predicted.

    Attributes:
        n: pairs.
        mean_error_points: mean |predicted - true change|, in points.
        bias_points: mean of predicted minus true change, in points.
        correlation: of predicted with true change; undefined where one of them does not vary.
        slope: of predicted over true change, least squares; 1 where neither too small nor too large.
        skill: 1 - mean error / mean |true change|; 0 as good as no change, 1 perfect.
    """

    n: int
    mean_error_points: float | None
    bias_points: float | None
    correlation: float | None
    slope: float | None
    skill: float | None


class MeanScore(Result):
    """A score over pairs.

    Attributes:
        mean: over the pairs where it is finite.
        sd: standard deviation over the pairs.
        n: pairs.
    """

    mean: float | None
    sd: float | None
    n: int


class ImageScores(Result):
    """Scores of images; nothing is given where a method forecasts none.

    Attributes:
        psnr_db: PSNR in the brain against the follow-up without bias and noise, dB.
        psnr_scanned_db: the same against the follow-up as it was scanned.
        ssim: structural similarity in the brain, against the follow-up without bias and noise.
        whole_psnr_db: PSNR over the whole volume against the scan, dB, as published.
        whole_ssim: structural similarity over the whole volume.
        whole_mse: mean squared error over the whole volume; white matter has 0.8.
    """

    psnr_db: MeanScore | None = None
    psnr_scanned_db: MeanScore | None = None
    ssim: MeanScore | None = None
    whole_psnr_db: MeanScore | None = None
    whole_ssim: MeanScore | None = None
    whole_mse: MeanScore | None = None


class Gain(Result):
    """Mean over pairs, of a gain of PSNR in dB or of a share.

    Attributes:
        mean: over the pairs where it is finite.
        low: lower end of the 95 % interval, a bootstrap over subjects.
        high: upper end.
        n: pairs.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int


class MethodScores(Result):
    """One way to forecast.

    Attributes:
        kind: what it is.
        images: scores over all pairs.
        changes: by region and group.
        brain_volume_error: mean |V^ - V| in percent of the brain's volume at A, by region.
        psnr_by_group_db: mean PSNR in the brain by group, dB; None without images.
        gain_db: over no change by group; None without images.
    """

    kind: Kind
    images: ImageScores
    changes: dict[str, dict[str, ChangeScore]]
    brain_volume_error: dict[str, float | None]
    psnr_by_group_db: dict[str, float | None] | None = None
    gain_db: dict[str, Gain] | None = None


class Averaging(Result):
    """Squared error of the latent against the number of chains m, with the fit bias^2 + variance / m.

    Attributes:
        chains: m.
        latent_mse: mean squared error of the mean of m chains, one for each m.
        no_change_mse: of the latent of A.
        squared_bias: of the fit; undefined for a single m.
        variance: of the fit.
        spearman_spread_error: rank correlation over pairs of the chains' spread and the error of their mean.
    """

    chains: list[int]
    latent_mse: list[float | None]
    no_change_mse: float | None
    squared_bias: float | None
    variance: float | None
    spearman_spread_error: float | None

    def error_of(self, count: int) -> float | None:
        """Return the error of the mean of so many chains, None where it was not measured."""
        return dict(zip(self.chains, self.latent_mse, strict=True)).get(count)

    def relative(self, error: float | None) -> float | None:
        """Return an error in parts of that of no change."""
        return None if error is None or self.no_change_mse is None else error / self.no_change_mse


class ChainCoverage(Result):
    """Whether the spread of the chains tells the error of a region's change.

    Attributes:
        coverage_2sd: share of pairs whose true change lies within two standard deviations of the chains.
        mean_sd_points: mean standard deviation of the chains, points.
        mean_error_points: mean error of their mean, points.
        spearman: rank correlation of standard deviation and error over pairs.
    """

    coverage_2sd: float
    mean_sd_points: float | None
    mean_error_points: float | None
    spearman: float | None


class CodeScores(Result):
    """What is left of an image that is coded and decoded.

    Attributes:
        psnr_db: PSNR in the brain of D(E(x)), dB.
        cosines_psnr_db: of as many cosine coefficients of lowest frequency, dB.
        numbers: of the code.
    """

    psnr_db: float | None
    cosines_psnr_db: float | None
    numbers: int


class LatentScores(CodeScores):
    """The same over the follow-ups of test subjects, with the densities of their standardised latents.

    Attributes:
        latent_sd: k of each channel, before it is divided by.
        latent_middles: of the histogram's bins.
        latent_densities: by channel and bin.
    """

    latent_sd: list[float]
    latent_middles: list[float]
    latent_densities: list[list[float]]


class TrajectoryScores(Result):
    """How even a region's forecasts are year by year.

    Attributes:
        second_difference_points: mean |second difference| of ln V read off the images, points; 0 in truth where the
            pace is constant.
        told_second_difference_points: the same of the volumes that the image model was told.
        right_direction: share of steps that go the way of the true change.
    """

    second_difference_points: float
    told_second_difference_points: float
    right_direction: float


class YearlyScores(Result):
    """Forecasts year by year.

    Attributes:
        years: after the first visit.
        diagnoses: of the subjects.
        regions: scores by region.
    """

    years: list[float]
    diagnoses: list[Diagnosis]
    regions: dict[str, TrajectoryScores]


class FlowScores(Result):
    """Forecasts by motion.

    Attributes:
        volume_error_percent: largest |volume of the moved labels / volume asked for - 1| of any draw and region but the fluid.
        least_determinant: smallest Jacobian determinant of all maps; above 0 none folds.
        spread: root mean square over pairs and the brain of the forecasts' uncertainty; white matter has 0.8.
        spread_of_draws: the same of the standard deviation of the draws' images.
        error: the same of the difference from the follow-up without bias and noise.
        held: share of the brain's voxels whose error lies within the central interval of 90 %, mean over pairs by group.
        gain_over_volumes_db: PSNR over that of the flow to the same volumes alone, by group.
        lost: share of pairs in which it is below that.
    """

    volume_error_percent: float
    least_determinant: float
    spread: float
    spread_of_draws: float
    error: float
    held: dict[str, Gain]
    gain_over_volumes_db: dict[str, Gain]
    lost: float


class Metrics(Result):
    """`metrics.json` of the stage `evaluate`.

    Attributes:
        methods: by name.
        averaging: by variant.
        readout_floor: errors of the readout itself on subjects left out, for `scans` and `decoded` images, by region.
        filter: PSNR of every filter on validation subjects, dB.
        autoencoder: what it keeps.
        pairs: compared.
        people: subjects with pairs.
        calibration: by variant with kept chains and by region.
        zero_gap_points: mean |change| by region where no time passes, points.
        trajectories: year by year.
        flow: forecasts by motion.
    """

    methods: dict[str, MethodScores]
    averaging: dict[str, Averaging]
    readout_floor: dict[str, dict[str, ChangeScore]]
    filter: dict[str, float]
    autoencoder: LatentScores
    pairs: int
    people: int
    calibration: dict[str, dict[str, ChainCoverage]] | None = None
    zero_gap_points: dict[str, float | None] | None = None
    trajectories: YearlyScores | None = None
    flow: FlowScores | None = None


class SubjectForecast(Result):
    """One question of the real brain: a diagnosis and years ahead; lists are by region, in points.

    Attributes:
        diagnosis: assumed.
        years: ahead.
        expected_points: changes that the image model was told.
        usual_points: changes by the course model of the study.
        read_points: changes read off the forecast image.
        flow_points: changes read off the flow to the expected volumes.
        psnr_db: PSNR in the brain of the forecast against that flow, dB.
        no_change_psnr_db: of the scan against it; None at no years, where the flow is the scan.
        notes: of the forecast.
    """

    diagnosis: Diagnosis
    years: float
    expected_points: list[float]
    usual_points: list[float]
    read_points: list[float | None]
    flow_points: list[float | None]
    psnr_db: float | None
    no_change_psnr_db: float | None
    notes: list[str]


class SubjectResult(Result):
    """`person.json` of the stage `person`: one real brain.

    Attributes:
        regions: names, in the order of the lists.
        age_years: as if so old.
        volumes_ml: of the regions.
        grid: of the images.
        warnings: of the preparation.
        forecasts: diagnosis by diagnosis, in order of years.
        floor_points: errors of the readout itself, for `scans` and `decoded` images.
        autoencoder: what it keeps of the scan.
    """

    regions: list[str]
    age_years: float
    volumes_ml: list[float]
    grid: str
    warnings: list[str]
    forecasts: list[SubjectForecast]
    floor_points: dict[str, list[float | None]]
    autoencoder: CodeScores
