"""What the page shows of one task: pictures, tables of scores, curves of tuning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sciml.imaging.tasks.catalogue import METHODS, TASKS, methods_for
from sciml.imaging.tasks.results import TaskResults, absent, volumes
from sciml.report.pictures import error_map
from sciml.report.reportlets import Column, Curve, Reportlet, Scrubber, Slider, Table
from sciml.report.words import spread

ERROR_LIMIT = 0.1


def shown_variant(task: TaskResults) -> int:
    """Return the variant whose pictures are shown: the middle of several, the first of two."""
    return len(task.variants) // 2 if len(task.variants) > 2 else 0


def task_pictures(task: TaskResults) -> Iterator[Reportlet]:
    """Yield the slider of the first test picture, and for volumes a scrubber through the slices."""
    index = shown_variant(task)
    variant = task.variants[index]
    truth, data, found = task.pictures(index)
    cases = variant.test.cases
    case = len(cases) // 2
    pictures = {METHODS[name].title: batch[case, 0] for name, batch in found.items()}
    scores = case_scores(task, variant.label, case)
    notes = {METHODS[name].title: "exact" if score is None else f"{score:.2f} dB" for name, score in scores.items()}
    if task.task in ("denoise", "deblur"):  # elsewhere the data are no picture, or a method shows them
        pictures = {"measured": data[case, 0].clip(0, 1), **pictures}
    errors = {label: error_map(picture, truth[case, 0], ERROR_LIMIT) for label, picture in pictures.items()}
    yield Slider(
        f"{TASKS[task.task].title}: {variant.label}",
        {**pictures, "truth": truth[case, 0]},
        f"{cases[case]}, {truth.shape[-2]} x {truth.shape[-1]} pixels; test data, parameters from validation data.",
        f"{TASKS[task.task].title}, {cases[case]}",
        errors,
        ERROR_LIMIT,
        notes=notes,
    )
    positions = variant.test.positions_mm
    if len(positions) > 1 and all(position is not None for position in positions):
        names = [name for name in ("fbp", "zero-filled", "tv") if name in found]
        series = {METHODS[name].title: list(found[name][:, 0]) for name in names}
        yield Scrubber(
            f"{TASKS[task.task].title}: {variant.label}, slice by slice",
            {**series, "truth": list(truth[:, 0])},
            [f"{position:.0f} mm" for position in positions],
            f"Slices of {', '.join(volumes(cases))}, distance from the first slice of the volume.",
            f"{TASKS[task.task].title}, slices",
        )


def case_scores(task: TaskResults, label: str, case: int) -> dict[str, float | None]:
    """Return the PSNR of one case by method."""
    return {row.method: row.psnr.values[case] for row in task.metrics if row.variant == label}


def metric_tables(task: TaskResults) -> Iterator[Table]:
    """Yield methods in rows, PSNR, SSIM and time in columns; PSNR and SSIM apart where there are many variants."""
    several = len(task.variants) > 1
    label = "" if several else f": {task.variants[0].label}"
    size = task.variants[0].size
    caption = f"Mean and standard deviation over the test pictures, {size[0]} x {size[1]} pixels."
    columns = {
        key: [
            Column(f"{key}{index}", f"{title}, {variant.label}" if several else title, unit, "up", digits)
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
            found = task.row(variant.label, name)
            row[f"psnr{index}"] = spread(found.psnr) if found else absent(name)
            row[f"ssim{index}"] = spread(found.ssim) if found else absent(name)
        times = [task.seconds[key] for key in task.seconds if key.endswith(f", {name}")]
        row["seconds"] = float(np.mean(times)) if times else absent(name)
        rows.append(row)
    return rows


def tuning_curves(task: TaskResults) -> Iterator[Curve]:
    """Yield the validation curve of total variation, one line a variant."""
    rows = [
        {"weight": point.value, "psnr": point.psnr_db, "variant": label}
        for label, methods in task.parameters.items()
        if "tv" in methods
        for point in methods["tv"].curve
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
