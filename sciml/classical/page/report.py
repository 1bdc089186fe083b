"""The page of the classical reconstruction study, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sciml.datasets.card import card
from sciml.imaging import paragraphs  # noqa: F401 (registers the methods text)
from sciml.imaging.catalogue import METHODS, TASKS, is_installed, methods_for
from sciml.classical.stages.evaluate import inside
from sciml.report.pictures import error_map
from sciml.report.reportlets import (
    Check,
    Checks,
    Claim,
    Column,
    Curve,
    Gallery,
    Limits,
    Methods,
    Provenance,
    Reportlet,
    Scrubber,
    Slider,
    Spread,
    Table,
    Text,
    Verdict,
)
from sciml.runtime.errors import DataError
from sciml.runtime.files import load_tensors, read_json

ERROR_LIMIT = 0.1
CRITERION = "criterion of this study: at least so much"
DENOISE_SOURCE = "scikit-image on the same nine crops, recorded; within 0.1 dB over noise seeds"
DENOISE_REFERENCE_DB = {"tv": 27.9, "nlm": 28.25}
DENOISE_CLAIMS = {
    "tv": "Denoising nine 256 x 256 crops at sigma 0.1: total variation, weight chosen with the truth",
    "nlm": "Denoising nine 256 x 256 crops at sigma 0.1: fast non-local means, h = 0.75 sigma",
}


@dataclass(frozen=True)
class TaskResults:
    """The artefacts of one task, read from its folder.

    Attributes:
        task: registered name.
        variants: records of the measurement file, in order.
        metrics: rows of the evaluate stage.
        parameters: variant -> method -> tuned value and curve.
        seconds: "variant, method" -> seconds an image.
        records: provenance of all stages.
        folder: where the tensors lie.
    """

    task: str
    variants: Sequence[Mapping[str, Any]]
    metrics: Sequence[Mapping[str, Any]]
    parameters: Mapping[str, Any]
    seconds: Mapping[str, float]
    records: Sequence[Mapping[str, Any]]
    folder: Path

    @classmethod
    def read(cls, folder: Path) -> TaskResults:
        """Read a task's folder; raises DataError where a stage's output is missing."""
        records = [read_json(folder / stage / "provenance.json") for stage in ("measure", "tune", "solve", "evaluate")]
        metrics = read_json(folder / "evaluate" / "metrics.json")
        _, metadata = load_tensors(folder / "measure" / "measurements.safetensors")
        parameters = read_json(folder / "tune" / "parameters.json")
        seconds = records[2]["notes"]["seconds_per_image"]
        return cls(metrics[0]["task"], metadata["variants"], metrics, parameters, seconds, records, folder)

    def pictures(self, index: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Return truth, data and the reconstructions by method of one variant, as arrays (batch, channel, ...)."""
        measured, _ = load_tensors(self.folder / "measure" / "measurements.safetensors")
        solved, _ = load_tensors(self.folder / "solve" / "reconstructions.safetensors")
        found = {name: solved[f"{index}.{name}"] for name in methods_for(self.task) if f"{index}.{name}" in solved}
        size = next(iter(found.values())).shape[-2:]
        return inside(measured[f"{index}.test.truth"], size), measured[f"{index}.test.data"], found

    def psnr(self, variant: str, method: str) -> Spread | None:
        """Return the PSNR of a method on a variant."""
        for row in self.metrics:
            if (row["variant"], row["method"]) == (variant, method):
                found = spread(row["psnr"])
                return found if isinstance(found, Spread) else None
        return None


def spread(numbers: Mapping[str, Any]) -> Spread | str:
    """Return a metric's numbers as the table shows them; a mean that is no number stands for exact reconstructions."""
    if numbers["mean"] is None:
        return "exact"
    return Spread(numbers["mean"], numbers["std"] if numbers["n"] > 1 else None, numbers["n"])


def read_results(folder: Path, tasks: Sequence[str]) -> list[TaskResults]:
    """Read the tasks of a run, in the order of the registry; what else lies in the folder is of other runs.

    Raises:
        DataError: one of them has not been evaluated.
    """
    for name in tasks:
        if not (folder / name / "evaluate" / "metrics.json").is_file():
            raise DataError(f"{folder / name} holds no evaluated task; run the study first: make demo")
    return [TaskResults.read(folder / name) for name in TASKS if name in tasks]


def reportlets(folder: Path, tasks: Sequence[str], data_tier: str) -> list[Reportlet]:
    """Return everything that the page shows.

    Args:
        folder: results folder of the study.
        tasks: names of the tasks of the run.
        data_tier: data tier of the run.
    """
    results = read_results(folder, tasks)
    checks = read_json(folder / "check" / "checks.json")
    items: list[Reportlet] = [Verdict(list(claims(results, checks))), Text("How to read this page", READING)]
    for task in results:
        items += task_pictures(task)
        items += metric_tables(task)
        items += tuning_curves(task)
    items.append(Checks([*(as_check(check) for check in checks["checks"]), *(range_check(task) for task in results)]))
    records = [record for task in results for record in task.records]
    items.append(data_gallery(records))
    items.append(Methods([{"stage": record["stage"], "parameters": stage_parameters(record)} for record in records]))
    items.append(Provenance([read_json(folder / "check" / "provenance.json"), *records]))
    items.append(Limits(limits(results, data_tier)))
    return items


READING = """Every method's one parameter is found on validation pictures of other photographs and other persons than the test
pictures, by the rule in the methods text; nothing is chosen on test data. PSNR and SSIM are computed on values in [0, 1].
A spread is the standard deviation over test pictures, not an error of the mean.

CT slices of one person are alike, so their spread says little about other persons."""


def claims(results: Sequence[TaskResults], checks: Mapping[str, Any]) -> Iterator[Claim]:
    """Yield the page's claims with our number, the reference and how they compare."""
    for row in checks["fbp_reference"] or []:
        yield Claim(
            f"Filtered back-projection of a real abdominal slice from {row['views']} noiseless views, our projector",
            row["ours_db"],
            row["scikit_image_db"],
            "scikit-image radon and iradon on the same slice, this run",
            "dB",
            "reproduced" if abs(row["ours_db"] - row["scikit_image_db"]) <= 0.5 else "not",
        )
    if checks["fbp_reference"] is None:
        text = "Filtered back-projection of a real abdominal slice agrees with scikit-image"
        yield Claim(text, None, None, f"needs {checks['fbp_reference_data']}, which this data tier lacks", "dB")
    yield from margin_claims({task.task: task for task in results})
    for name, text in DENOISE_CLAIMS.items():
        row = (checks["denoise_reference"] or {}).get(name)
        if row is None:
            yield Claim(text, None, DENOISE_REFERENCE_DB[name], DENOISE_SOURCE, "dB")
            continue
        close = abs(row["mean"] - DENOISE_REFERENCE_DB[name]) <= 0.1
        yield Claim(text, spread(row), DENOISE_REFERENCE_DB[name], DENOISE_SOURCE, "dB", "reproduced" if close else "not")


def margin_claims(by_task: Mapping[str, TaskResults]) -> Iterator[Claim]:
    """Yield the claims that total variation beats the direct methods."""
    for task, variant, rivals, least in (
        ("ct-sparse", "24 views", ("fbp", "fbp-hann"), 3.0),
        ("deblur", "shake, sigma 0.02", ("wiener",), 0.0),
        ("deblur", "shake, sigma 0.02", ("richardson-lucy",), 0.0),
    ):
        for rival in rivals:
            text = f"{TASKS[task].title}, {variant}: gain of total variation over {METHODS[rival].title}"
            ours = by_task[task].psnr(variant, "tv") if task in by_task else None
            theirs = by_task[task].psnr(variant, rival) if task in by_task else None
            if ours is None or theirs is None:
                yield Claim(text, None, least, CRITERION, "dB")
                continue
            gain = ours.mean - theirs.mean
            status = "reproduced" if gain >= least and gain > 0 else "partly" if gain > 0 else "not"
            yield Claim(text, gain, least, CRITERION, "dB", status)


def shown_variant(task: TaskResults) -> int:
    """Return the variant whose pictures are shown: the middle of several, the first of two."""
    return len(task.variants) // 2 if len(task.variants) > 2 else 0


def task_pictures(task: TaskResults) -> Iterator[Reportlet]:
    """Yield the slider of the first test picture, and for volumes a scrubber through the slices."""
    index = shown_variant(task)
    variant = task.variants[index]
    truth, data, found = task.pictures(index)
    cases = variant["test"]["cases"]
    case = len(cases) // 2
    pictures = {METHODS[name].title: batch[case, 0] for name, batch in found.items()}
    scores = case_scores(task, variant["label"], case)
    notes = {METHODS[name].title: "exact" if score is None else f"{score:.2f} dB" for name, score in scores.items()}
    if task.task in ("denoise", "deblur"):  # elsewhere the data are no picture, or a method shows them
        pictures = {"measured": data[case, 0].clip(0, 1), **pictures}
    errors = {label: error_map(picture, truth[case, 0], ERROR_LIMIT) for label, picture in pictures.items()}
    yield Slider(
        f"{TASKS[task.task].title}: {variant['label']}",
        {**pictures, "truth": truth[case, 0]},
        f"{cases[case]}, {truth.shape[-2]} x {truth.shape[-1]} pixels; test data, parameters from validation data.",
        f"{TASKS[task.task].title}, {cases[case]}",
        errors,
        ERROR_LIMIT,
        notes=notes,
    )
    positions = variant["test"]["positions_mm"]
    if len(positions) > 1 and all(position is not None for position in positions):
        names = [name for name in ("fbp", "zero-filled", "tv") if name in found]
        series = {METHODS[name].title: list(found[name][:, 0]) for name in names}
        yield Scrubber(
            f"{TASKS[task.task].title}: {variant['label']}, slice by slice",
            {**series, "truth": list(truth[:, 0])},
            [f"{position:.0f} mm" for position in positions],
            f"Slices of {', '.join(volumes(cases))}, distance from the first slice of the volume.",
            f"{TASKS[task.task].title}, slices",
        )


def volumes(cases: Sequence[str]) -> list[str]:
    """Return the data sets of cases such as `ct_cranium[27]`, each once."""
    return list(dict.fromkeys(case.partition("[")[0] for case in cases))


def case_scores(task: TaskResults, label: str, case: int) -> dict[str, float | None]:
    """Return the PSNR of one case by method."""
    return {row["method"]: row["psnr"]["values"][case] for row in task.metrics if row["variant"] == label}


def metric_tables(task: TaskResults) -> Iterator[Table]:
    """Yield methods in rows, PSNR, SSIM and time in columns; PSNR and SSIM apart where there are many variants."""
    several = len(task.variants) > 1
    label = "" if several else f": {task.variants[0]['label']}"
    size = task.variants[0]["size"]
    caption = f"Mean and standard deviation over the test pictures, {size[0]} x {size[1]} pixels."
    columns = {
        key: [
            Column(f"{key}{index}", f"{title}, {variant['label']}" if several else title, unit, "up", digits)
            for index, variant in enumerate(task.variants)
        ]
        for key, title, unit, digits in (("psnr", "PSNR", "dB", 2), ("ssim", "SSIM", "", 3))
    }
    name, seconds = Column("method", "method"), Column("seconds", "time an image", "s", "down")
    groups = {"": [*columns["psnr"], *columns["ssim"], seconds]}
    if len(task.variants) > 3:
        groups = {"": [*columns["psnr"], seconds], ", structural similarity": columns["ssim"]}
    rows = metric_rows(task)
    for suffix, group in groups.items():
        keys = ["method", *(column.key for column in group)]
        shown = [{key: row[key] for key in keys} for row in rows]
        yield Table(f"{TASKS[task.task].title}{label}{suffix}", [name, *group], shown, caption)


def metric_rows(task: TaskResults) -> list[dict[str, Any]]:
    """Return one row a method: PSNR and SSIM of every variant by `psnr<index>` and `ssim<index>`, and the mean time an image."""
    rows = []
    for name in methods_for(task.task):
        row: dict[str, Any] = {"method": METHODS[name].title}
        for index, variant in enumerate(task.variants):
            found = [r for r in task.metrics if (r["variant"], r["method"]) == (variant["label"], name)]
            row[f"psnr{index}"] = spread(found[0]["psnr"]) if found else absent(name)
            row[f"ssim{index}"] = spread(found[0]["ssim"]) if found else absent(name)
        times = [task.seconds[key] for key in task.seconds if key.endswith(f", {name}")]
        row["seconds"] = float(np.mean(times)) if times else absent(name)
        rows.append(row)
    return rows


def absent(method: str) -> str:
    """Return why a method has no numbers."""
    return "not run" if is_installed(METHODS[method]) else "not installed"


def tuning_curves(task: TaskResults) -> Iterator[Curve]:
    """Yield the validation curve of total variation, one line a variant."""
    rows = [
        {"weight": point["value"], "psnr": point["psnr_db"], "variant": label}
        for label, methods in task.parameters.items()
        for point in methods.get("tv", {"curve": []})["curve"]
    ]
    if rows:
        yield Curve(
            f"{TASKS[task.task].title}: weight of total variation on validation data",
            rows,
            "weight",
            "psnr",
            "variant",
            "weight / (sigma x mean column norm of A)",
            "mean PSNR (dB)",
            "The best point of each line is the weight used on the test data; 1 is the default weight.",
            "Lines of validation PSNR over the weight, one a variant.",
            log_x=True,
        )


def as_check(check: Mapping[str, Any]) -> Check:
    """Return a check of `checks.json` as a reportlet's."""
    return Check(check["name"], check["value"], check["tolerance"], check["passed"], "", check["explanation"])


def range_check(task: TaskResults) -> Check:
    """Return the check that every tuned value has worse ones on both sides, so that no range cut a method short."""
    open_ended = [
        f"{METHODS[name].title} ({label})"
        for label, methods in task.parameters.items()
        for name, found in methods.items()
        if not found["bracketed"]
    ]
    text = "tuned parameters with no worse value on one side" + (f": {', '.join(open_ended)}" if open_ended else "")
    return Check(f"{task.task}: tuning", len(open_ended), 0, not open_ended, "", text)


def data_gallery(records: Sequence[Mapping[str, Any]]) -> Gallery:
    """Return a thumbnail of every data set of the run, with package, licence and author."""
    names = sorted({name for record in records for name in record["notes"].get("data", [])})
    cards = [item for item in card(names) if item["thumbnail"]]
    notes = {item["id"]: " · ".join(str(item[key]) for key in ("package", "licence", "author") if item[key]) for item in cards}
    pictures = {item["id"]: item["thumbnail"] for item in cards}
    return Gallery("Data of this run", pictures, "Sources and licences of all pictures shown or tuned on.", "data set", notes)


def stage_parameters(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the methods text needs of a provenance record."""
    return {**record["config"], "data": record["notes"].get("data", [])}


def limits(results: Sequence[TaskResults], data_tier: str) -> list[str]:
    """Return the study's limits as sentences."""
    tested = {task.task: task.variants[0]["test"]["cases"] for task in results}
    counts = [f"{name} {len(cases)} of {', '.join(volumes(cases))}" for name, cases in tested.items()]
    items = [
        f"Tested pictures and slices: {'; '.join(counts)}. The spreads do not cover other scanners or bodies.",
        "Measurements are simulated from real images with the physics that reconstructs them; only the noise is unknown to the "
        "methods. Real scanners differ.",
        "CT is parallel-beam in two dimensions with Gaussian noise; no beam hardening, scatter or photon statistics.",
        "MR is single-coil and retrospectively undersampled from magnitude images with a simulated phase.",
        "Total variation stops after 100 iterations: with few views or angles the image is not fully converged.",
    ]
    if data_tier in ("ci", "pip"):
        items.append("This run used the smallest data: few pictures, small sizes; its numbers only show that everything works.")
    return items
