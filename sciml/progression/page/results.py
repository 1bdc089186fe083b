"""What the study's stages have left, read for the page; and how the ways to forecast are called there."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sciml.progression.cohorts.cohort import Cohort
from sciml.runtime.errors import DataError
from sciml.runtime.files import load_tensors, read_json

MAIN, OFFICIAL = "main", "official"
STILL, DENOISED = "no_change", "no_change_denoised"
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
    MAIN: "ours",
    "draws": "ours, volumes drawn",
    "true_volumes": "ours, told the true volumes",
    "no_course": "ours, no course model",
    "direct": "ours, decoded directly",
    "unscaled": "ours, latent scale forgotten",
    OFFICIAL: "published form",
    "official_residual": "published form, residual decoding",
    "official_clamped": "published form, clamped",
    "scan_itself": "the true scan",
    "decoded_truth": "the true scan, decoded",
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


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of the pairs of test people, and their scores.

    Attributes:
        metrics: of the stage `evaluate`.
        changes: predicted ln(V^_B / V_A) by method, (pairs, regions), and `truth`.
        folder: that holds predictions/.
        pairs: of the stage `predict`.
        record: provenance of the same stage.
    """

    metrics: Mapping[str, Any]
    changes: Mapping[str, np.ndarray]
    folder: Path
    pairs: list[dict[str, Any]]
    record: Mapping[str, Any]

    @property
    def methods(self) -> dict[str, dict[str, Any]]:
        """Return the scores of each method: models first, then baselines, ablations and ceilings."""
        found = self.metrics["methods"]
        return {name: found[name] for name in sorted(found, key=lambda name: (KINDS[found[name]["kind"]], order(name)))}

    def change(self, method: str, region: str, group: str = ALL) -> dict[str, Any] | None:
        """Return the score of a region's change in a group, or None where there is none."""
        return self.metrics["methods"].get(method, {}).get("changes", {}).get(region, {}).get(group)

    def psnr(self, method: str, group: str = ALL) -> float | None:
        """Return the mean PSNR in the brain against the image without noise, in dB, or None."""
        return self.metrics["methods"].get(method, {}).get("psnr_by_group_db", {}).get(group)

    def images(self, method: str) -> np.ndarray | None:
        """Return the forecast images of a variant, (pairs, x, y, z), or None."""
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
        stage: that trained it.
        rows: of its history.
        record: its provenance.
    """

    name: str
    stage: str
    rows: Sequence[Mapping[str, str]]
    record: Mapping[str, Any]

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
    """Forms that differ in one switch, on validation people.

    Attributes:
        metrics: of the stage `evaluate`.
        variants: by method, its form and its decoding.
    """

    metrics: Mapping[str, Any]
    variants: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class StudyResults:
    """Everything that the page is made from.

    Attributes:
        cohort: the people.
        accuracy: of their simulation.
        forecasts: None before they are compared.
        trainings: of the study's networks, those that this run made.
        ablations: None where they were not asked for.
        records: provenance of the study's stages.
        further_records: of the ablations' stages.
    """

    cohort: Cohort
    accuracy: dict[str, Any]
    forecasts: Forecasts | None
    trainings: list[Training]
    ablations: Ablations | None
    records: list[dict[str, Any]]
    further_records: list[dict[str, Any]]


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
        pairs, record = (read_json(made / "predictions" / f"{name}.json") for name in ("pairs", "provenance"))
        forecasts = Forecasts(read_json(metrics), changes, made, pairs, record)
    ablations = _ablations(results)
    apart = {form for form, _ in ablations.variants.values()} if ablations else set()
    records: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    trainings = []
    for path in sorted(results.glob("**/provenance.json")):
        record = read_json(path)
        # the name of a form, where a stage trains one
        name = record["config"].get("name", "")
        further = "ablate" in path.relative_to(results).parts or name in apart
        records[further].append(record)
        if not further and (path.parent / "history.csv").is_file():
            with (path.parent / "history.csv").open(newline="", encoding="utf-8") as file:
                trainings.append(Training(name, record["stage"], list(csv.DictReader(file)), record))
    accuracy = read_json(folder / "accuracy.json")
    return StudyResults(Cohort(folder), accuracy, forecasts, trainings, ablations, records[False], records[True])


def _ablations(results: Path) -> Ablations | None:
    metrics = results / "ablate" / "metrics.json"
    if not metrics.is_file():
        return None
    variants = read_json(results / "ablate" / "predictions" / "provenance.json")["config"]["variants"]
    return Ablations(read_json(metrics), {name: (each["form"], each["how"]["decoding"]) for name, each in variants.items()})
