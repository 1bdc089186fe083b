"""What the study's stages have left, read for the page; and how the ways to forecast are called there."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel

from sciml.progression.cohorts.accuracy import Accuracy
from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.settings.models import PredictConfig, VariantConfig
from sciml.progression.study.interval_results import CourseIntervals
from sciml.progression.study.results import MOVED_IMAGES, ChangeScore, Gain, MethodScores, Metrics, PairRow
from sciml.report.reportlets import Value
from sciml.runtime.errors import DataError
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import Record, read_record
from sciml.runtime.results import read_result

Settings = TypeVar("Settings", bound=BaseModel)

MAIN, OFFICIAL = "main", "official"
MOVED, MOVED_BY_VOLUMES = "flow", "flow_volumes"
STILL, DENOISED = "no_change", "no_change_denoised"
RATES = "course_linear_population"
ALL, LONG = "all", "3 y and more"

TITLES = {
    STILL: "no change",
    DENOISED: "no change, denoised",
    "autoencoder_only": "no change, decoded",
    "population_field": "mean field of the diagnosis",
    "prescribed_volumes": "flow to expected volumes",
    "course_linear_population": "rates by diagnosis",
    "course_huber": "regression, one visit",
    "course_huber_published": "regression, published form",
    "course_logistic_mixed": "logistic course",
    "course_by_visits": "regression or logistic course, by visits",
    "course_local_rates": "local rates",
    "course_calibrated": "regression or local rates, by visits",
    "flow": "motion: volumes and earlier scans",
    "flow_volumes": "motion: volumes alone",
    "flow_draws": "motion, mean of the draws",
    MAIN: "latent diffusion",
    "draws": "latent diffusion, volumes drawn",
    "true_volumes": "latent diffusion, given the true volumes",
    "no_course": "latent diffusion, no course model",
    "direct": "latent diffusion, decoded directly",
    "unscaled": "latent diffusion, latent scale forgotten",
    OFFICIAL: "published form",
    "official_residual": "published form, residual decoding",
    "official_clamped": "published form, clamped",
    "scan_itself": "the true scan",
    "decoded_truth": "the true scan, decoded",
    "true_motion": "first scan + true motion",
    "decoded_true_change": "first scan + decoded true change",
}
MOST_POINTS = 60
KINDS = {"model": 0, "baseline": 1, "ablation": 2, "ceiling": 3}


def title_of(name: str) -> str:
    """Return how a way to forecast is called: `chains_4` is `ours, 4 chains`."""
    word, _, count = name.partition("_")
    if word in ("chains", "steps") and count.isdigit():
        return f"ours, {count} {word[:-1] if count == '1' else word}"
    return TITLES.get(name, name.replace("_", " "))


def settings_of(model: type[Settings], config: Mapping[str, Any]) -> Settings:
    """Return the settings that a stage ran with, of its provenance; what this version has no setting for is left out."""
    return model.model_validate(config, extra="ignore")


def cells(region: str, score: ChangeScore | None, *names: str) -> dict[str, Value]:
    """Return fields of a score as cells of a row, `<region>_<field>`; None where there is no score."""
    return {f"{region}_{name}": getattr(score, name, None) for name in names}


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of the pairs of test subjects, and their scores.

    Attributes:
        metrics: of the stage `evaluate`.
        changes: predicted ln(V^_B / V_A) by method, (pairs, regions), and `truth`.
        folder: that holds predictions/.
        pairs: of the stage `predict`.
        record: provenance of the same stage.
    """

    metrics: Metrics
    changes: Mapping[str, np.ndarray]
    folder: Path
    pairs: list[PairRow]
    record: Record

    @property
    def methods(self) -> dict[str, MethodScores]:
        """Return the scores of each method: models first, then baselines, ablations and ceilings."""
        found = self.metrics.methods
        return {name: found[name] for name in sorted(found, key=lambda name: (KINDS[found[name].kind], order(name)))}

    def change(self, method: str, region: str, group: str = ALL) -> ChangeScore | None:
        """Return the score of a region's change in a group, or None where there is none."""
        scores = self.metrics.methods.get(method)
        return None if scores is None else scores.changes.get(region, {}).get(group)

    def psnr(self, method: str, group: str = ALL) -> float | None:
        """Return the mean PSNR in the brain against the image without noise, in dB, or None."""
        scores = self.metrics.methods.get(method)
        return None if scores is None else (scores.psnr_by_group_db or {}).get(group)

    def gain(self, method: str, group: str = ALL) -> Gain | None:
        """Return the gain of PSNR over no change, or None."""
        scores = self.metrics.methods.get(method)
        return None if scores is None else (scores.gain_db or {}).get(group)

    def images(self, method: str) -> np.ndarray | None:
        """Return the forecast images of a variant or of the moved scans, (pairs, x, y, z), or None."""
        if method == MOVED:
            return self.changes.get(MOVED_IMAGES)
        path = self._file(method)
        return load_tensors(path)[0]["images"] if path.is_file() else None

    def spread(self, method: str, pair: int) -> np.ndarray | None:
        """Return the standard deviation over the images of a pair's chains, (x, y, z), or None where chains were not kept."""
        from safetensors import safe_open

        path = self._file(method)
        if not path.is_file():
            return None
        with safe_open(path, framework="np") as file:
            if "chain_images" not in file.keys():  # noqa: SIM118
                return None
            return file.get_slice("chain_images")[:, pair].astype(np.float32).std(axis=0, ddof=1)

    def _file(self, method: str) -> Path:
        return self.folder / "predictions" / f"{method}.safetensors"


def order(name: str) -> tuple[int, str, int]:
    """Return where a method stands among its kind; `chains_4` comes before `chains_16`."""
    known = list(TITLES)
    word, _, count = name.partition("_")
    return (known.index(name) if name in known else len(known), word, int(count) if count.isdigit() else 0)


@dataclass(frozen=True)
class Training:
    """One training of this run.

    Attributes:
        name: of the form, empty for the autoencoder.
        rows: of its history.
        record: its provenance.
    """

    name: str
    rows: Sequence[Mapping[str, str]]
    record: Record

    @property
    def of_control(self) -> bool:
        """Return whether a ControlNet was trained."""
        return self.record.stage.endswith("controlnet")

    def series(self, column: str) -> list[tuple[int, float]]:
        """Return (step, value) wherever the column has one."""
        return [(int(row["step"]), float(row[column])) for row in self.rows if row.get(column)]

    def means(self, column: str) -> list[tuple[int, float]]:
        """Return (last step, mean) of up to 60 runs of rows of equal length: the column without its noise."""
        found = self.series(column)
        length = max(1, -(-len(found) // MOST_POINTS))
        runs = [found[start : start + length] for start in range(0, len(found), length)]
        return [(run[-1][0], float(np.mean([value for _, value in run]))) for run in runs]


@dataclass(frozen=True)
class Ablations:
    """Forms that differ in one switch, on validation subjects.

    Attributes:
        metrics: of the stage `evaluate`.
        variants: by method, how it forecasts.
    """

    metrics: Metrics
    variants: Mapping[str, VariantConfig]


@dataclass(frozen=True)
class StudyResults:
    """Everything that the page is made from.

    Attributes:
        cohort: the subjects.
        accuracy: of their simulation.
        forecasts: None before they are compared.
        trainings: of the study's networks, those that this run made.
        ablations: None where they were not asked for.
        intervals: of the courses' volumes, None before they are tested.
        records: provenance of the study's stages.
        further_records: of the ablations' stages.
    """

    cohort: Cohort
    accuracy: Accuracy
    forecasts: Forecasts | None
    trainings: list[Training]
    ablations: Ablations | None
    intervals: CourseIntervals | None
    records: list[Record]
    further_records: list[Record]


def read_study(results: Path) -> StudyResults:
    """Read what a run has left.

    Raises:
        DataError: no cohort has been simulated.
    """
    folder = results / "cohort"
    if not (folder / "accuracy.json").is_file():
        raise DataError(f"{results} holds no simulated cohort; run the study first: make demo FAMILY=progression")
    forecasts = None
    metrics = results / "evaluate" / "metrics.json"
    if metrics.is_file():
        changes, _ = load_tensors(results / "evaluate" / "changes.safetensors")
        # the workflow keeps forecasts beside the table, the command below it
        made = next(place for place in (results, metrics.parent) if (place / "predictions").is_dir())
        pairs = read_result(made / "predictions" / "pairs.json", list[PairRow])
        forecasts = Forecasts(read_result(metrics, Metrics), changes, made, pairs, read_record(made / "predictions"))
    ablations = _ablations(results)
    apart = {variant.form for variant in ablations.variants.values()} if ablations else set()
    records: dict[bool, list[Record]] = {True: [], False: []}
    trainings = []
    for path in sorted(results.glob("**/provenance.json")):
        record = read_record(path.parent)
        # the name of a form, where a stage trains one
        name = record.config.get("name", "")
        further = "ablate" in path.relative_to(results).parts or name in apart
        records[further].append(record)
        if not further and (path.parent / "history.csv").is_file():
            with (path.parent / "history.csv").open(newline="", encoding="utf-8") as file:
                trainings.append(Training(name, list(csv.DictReader(file)), record))
    accuracy = read_result(folder / "accuracy.json", Accuracy)
    tested = results / "course" / "intervals.json"
    intervals = read_result(tested, CourseIntervals) if tested.is_file() else None
    return StudyResults(Cohort(folder), accuracy, forecasts, trainings, ablations, intervals, records[False], records[True])


def _ablations(results: Path) -> Ablations | None:
    metrics = results / "ablate" / "metrics.json"
    if not metrics.is_file():
        return None
    variants = settings_of(PredictConfig, read_record(results / "ablate" / "predictions").config).variants
    return Ablations(read_result(metrics, Metrics), variants)
