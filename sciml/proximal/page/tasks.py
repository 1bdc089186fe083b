"""Pictures, tables and curves of one task: the learned networks beside the classical methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sciml.imaging.tasks.catalogue import TASKS
from sciml.imaging.tasks.results import absent
from sciml.proximal.page.results import LearnedResults
from sciml.proximal.study.results import Run
from sciml.report.pictures import error_map, gallery
from sciml.report.reportlets import Column, Curve, Gallery, Reportlet, Slider, Table, Value
from sciml.report.words import spread, spread_over

ERROR_LIMIT = {"denoise": 0.15, "deblur": 0.15, "ct-sparse": 0.05, "mri-cs": 0.1}
# side of the enlarged crop in pixels, and how often a pixel is repeated
CROP, SCALE = 64, 4
# pictures take most of the page's bytes: two variants, and the direct method, total variation and the task's own network
SHOWN_VARIANTS = 2
UNSHOWN = ("wavelet-l1",)
MOST_IN_TABLE = 4
# more points are drawn as a string of beads
MOST_POINTS = 60
MOST_LINES = 8


def task_reportlets(task: LearnedResults) -> Iterator[Reportlet]:
    """Yield everything of one task."""
    shown = shown_variants(task)
    for place, index in enumerate(shown):
        yield slider(task, index, place)
    yield crops(task, shown[0])
    yield from metric_tables(task)
    if task.task != "denoise":
        yield gain_table(task)
    yield runs_table(task)
    yield from run_curves(task, shown)


def shown_variants(task: LearnedResults) -> list[int]:
    """Return the variants whose pictures are shown: the first two; of photographs those at one noise level, far apart."""
    everything = list(range(len(task.variants)))
    if task.task not in ("denoise", "deblur"):
        return everything[:SHOWN_VARIANTS]
    sigmas = [float(variant.options["sigma"]) for variant in task.variants]
    wanted = 0.1 if task.task == "denoise" else 0.02
    nearest = min(sigmas, key=lambda sigma: abs(np.log(max(sigma, 1e-9) / wanted)))
    found = [index for index in everything if sigmas[index] == nearest]
    return found if len(found) <= SHOWN_VARIANTS else [found[0], found[-1]]


def shown_titles(task: LearnedResults) -> list[str]:
    """Return the titles whose pictures are shown: all of denoising, elsewhere a few; the tables have all."""
    names = task.methods()
    if task.task != "denoise":
        plain = "fbp" if "fbp-hann" in names else ""
        others = [name for name in task.networks if name != task.own]
        names = [name for name in names if name not in (plain, *UNSHOWN, *others)]
    return [task.title(name) for name in names]


def slider(task: LearnedResults, index: int, place: int) -> Slider:
    """Return any two pictures of one case, another case for every variant; the first has error maps."""
    variant = task.variants[index]
    truth, data, found = task.images(index)
    cases = variant.test.cases
    case = (len(cases) // 2 + place) % len(cases)
    limit = ERROR_LIMIT[task.task]
    pictures = {title: found[title][case, 0] for title in shown_titles(task) if title in found}
    if task.task in ("denoise", "deblur"):  # elsewhere the data are no picture, or a method shows them
        pictures = {"measured": data[case, 0].clip(0, 1), **pictures}
    errors = {label: error_map(picture, truth[case, 0], limit) for label, picture in pictures.items()} if place == 0 else {}
    return Slider(
        f"{TASKS[task.task].title}: {variant.label}",
        {**pictures, "truth": truth[case, 0]},
        f"{cases[case]}, {truth.shape[-2]} x {truth.shape[-1]} pixels; test data, which no training and no tuning has seen. "
        "The tables have all methods.",
        f"{TASKS[task.task].title}, {cases[case]}",
        errors or None,
        limit if errors else None,
        notes=case_notes(task, variant.label, case),
    )


def case_notes(task: LearnedResults, label: str, case: int) -> dict[str, str]:
    """Return the PSNR of one case by title."""
    scores = {task.title(name): task.case_values(label, name) for name in task.methods()}
    return {
        title: "exact" if values[case] is None else f"{values[case]:.2f} dB"
        for title, values in scores.items()
        if values is not None
    }


def crops(task: LearnedResults, index: int) -> Gallery:
    """Return the same enlarged crop of every picture, where the truth has most detail."""
    variant = task.variants[index]
    truth, data, found = task.images(index)
    case = len(truth) // 2
    pictures = {title: found[title][case, 0] for title in shown_titles(task) if title in found}
    if task.task in ("denoise", "deblur"):
        pictures = {"measured": data[case, 0].clip(0, 1), **pictures}
    name = variant.test.cases[case]
    return gallery(
        f"{TASKS[task.task].title}, {variant.label}: enlarged",
        {**pictures, "truth": truth[case, 0]},
        busiest(truth[case, 0]),
        f"{name}: the part with the strongest edges, every pixel repeated, nothing smoothed.",
        f"a crop of {name}",
        SCALE,
    )


def busiest(truth: np.ndarray) -> tuple[int, int, int, int]:
    """Return top, left, height and width of the crop with the largest sum of absolute differences of neighbours."""
    height, width = (min(CROP, side) for side in truth.shape)
    detail = np.zeros(truth.shape)
    detail[1:] += np.abs(np.diff(truth, axis=0))
    detail[:, 1:] += np.abs(np.diff(truth, axis=1))
    total = np.pad(detail.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(top), int(left), height, width


def metric_tables(task: LearnedResults) -> Iterator[Table]:
    """Yield PSNR and SSIM of all methods; many variants are parted by noise level."""
    groups: dict[str, list[int]] = {"": list(range(len(task.variants)))}
    if len(task.variants) > MOST_IN_TABLE and all("sigma" in variant.options for variant in task.variants):
        groups = {}
        for index, variant in enumerate(task.variants):
            groups.setdefault(f", noise {variant.options['sigma']:g}", []).append(index)
    size = task.variants[0].size
    caption = f"Mean and standard deviation over the test pictures, {size[0]} x {size[1]} pixels."
    for words, indices in groups.items():
        wide = len(indices) > 2
        parts = [("psnr",), ("ssim",)] if wide else [("psnr", "ssim")]
        for metrics in parts:
            suffix = ": structural similarity" if metrics == ("ssim",) else ""
            columns = [Column("method", "method")]
            columns += [_column(task, metric, index, len(task.variants) > 1) for metric in metrics for index in indices]
            if "psnr" in metrics:
                columns.append(Column("seconds", "time an image", "s", "down"))
            keys = [column.key for column in columns]
            rows = [{key: row[key] for key in keys} for row in metric_rows(task, indices)]
            yield Table(f"{TASKS[task.task].title}{words}{suffix}", columns, rows, caption)


def _column(task: LearnedResults, metric: str, index: int, several: bool) -> Column:
    title, unit, digits = {"psnr": ("PSNR", "dB", 2), "ssim": ("SSIM", "", 3)}[metric]
    label = task.variants[index].label
    return Column(f"{metric}{index}", f"{title}, {label}" if several else title, unit, "up", digits)


def metric_rows(task: LearnedResults, indices: Sequence[int]) -> list[dict[str, Value]]:
    """Return one row a method: `psnr<index>`, `ssim<index>`, and the mean time an image over the variants."""
    rows: list[dict[str, Value]] = []
    labels = [task.labels[index] for index in indices]
    for name in task.methods():
        row: dict[str, Value] = {"method": task.title(name)}
        missing = "not run" if name in task.networks else absent(name)
        for index, label in zip(indices, labels, strict=True):
            found = task.row(label, name)
            row[f"psnr{index}"] = spread(found.psnr) if found else missing
            row[f"ssim{index}"] = spread(found.ssim) if found else missing
        times = [task.seconds[key] for label in labels if (key := f"{label}, {name}") in task.seconds]
        row["seconds"] = float(np.mean(times)) if times else missing
        rows.append(row)
    return rows


def gain_table(task: LearnedResults) -> Table:
    """Return what every network gains over total variation, picture by picture, with the share of pictures above it."""
    columns = [Column("variant", "variant")]
    for name in task.learned():
        columns += [
            Column(f"gain {name}", f"{name}: gain", "dB", None, 2),
            Column(f"share {name}", f"{name}: pictures above", "%", None, 0),
        ]
    rows = []
    for label in [*task.labels, *(["all"] if len(task.variants) > 1 else [])]:
        row: dict[str, Value] = {"variant": label}
        for name in task.learned():
            gains = np.array(task.gains(name, "tv", task.labels if label == "all" else [label]))
            row[f"gain {name}"] = spread_over(gains) if gains.size else "not run"
            row[f"share {name}"] = float(100 * np.mean(gains > 0)) if gains.size else "not run"
        rows.append(row)
    return Table(
        f"{TASKS[task.task].title}: gain over total variation",
        columns,
        rows,
        "Difference of PSNR on the same picture; the weight of total variation is tuned on validation data for every variant.",
    )


def runs_table(task: LearnedResults) -> Table:
    """Return how the networks solved: certificate, work, residual, and whether more work changes anything."""
    rows = []
    for name in task.learned():
        found = task.runs_of(name)
        numbers = [row.numbers for row in found if row.numbers is not None]
        drift = [change for row in found for change in row.drift_db]
        rows.append(
            {
                "network": task.title(name),
                "certified": f"{sum(row.certified for row in found)} of {len(found)}",
                "monotone": "yes" if all(row.monotone for row in found) else "no",
                "norm": float(np.mean([one.norm_squared for one in numbers])),
                "gradients": float(np.mean([row.gradients for row in found])),
                "residual": _largest([one.relative_residual for one in numbers]),
                "rise": _largest([one.largest_rise for one in numbers]),
                "fall": max(fall for row in found for fall in row.below_best_db),
                "drift": max(drift, key=abs) if drift else "not run",
            }
        )
    columns = [
        Column("network", "network"),
        Column("certified", "certified runs"),
        Column("monotone", "F never rose"),
        Column("norm", "||A||^2", "", None, 3),
        Column("gradients", "gradients a run", "", None, 0),
        Column("residual", "largest relative residual"),
        Column("rise", "largest step of F"),
        Column("fall", "largest fall below the best iterate", "dB", None, 2),
        Column("drift", "largest change by three times the gradients", "dB", None, 3),
    ]
    caption = (
        "Over all variants and test pictures. A negative step of F is a descent; a positive one within rounding counts as none."
    )
    return Table(f"{TASKS[task.task].title}: how the reconstructions were solved", columns, rows, caption)


def _largest(values: Sequence[float | None]) -> float | str:
    """Return the largest value; a run that left the numbers has none."""
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else "not a number"


def run_curves(task: LearnedResults, shown: Sequence[int]) -> Iterator[Curve]:
    """Yield PSNR and the objective along the iterations of the shown variants."""
    lines: list[tuple[str, Run]] = []
    for index in shown:
        for name in task.learned():
            row = next((row for row in task.runs_of(name) if row.variant == task.labels[index]), None)
            if row is not None and (name == task.own or index == shown[0]):
                lines.append((name if len(shown) == 1 else f"{name}, {row.variant}", row))
    psnrs = [
        {"step": point[0], "psnr": float(np.mean(point[1:])), "run": label}
        for label, row in lines[:MOST_LINES]
        for point in thinned(row.psnr_along)
        if None not in point
    ]
    objectives = [
        {"step": step, "gap": gap, "run": label}
        for label, row in lines[:MOST_LINES]
        for step, gap in thinned(gaps(row.objective))
    ]
    title, alt = TASKS[task.task].title, "one line a network and variant, over the iterations."
    if psnrs:
        yield Curve(
            f"{title}: PSNR along the iterations", psnrs, "step", "psnr", "run", "iteration", "mean PSNR (dB)",
            "Mean over the test pictures. The last iterate is the one reported; no picture is taken from the best.",
            f"PSNR, {alt}",
        )  # fmt: skip
    if objectives:
        yield Curve(
            f"{title}: objective along the iterations", objectives, "step", "gap", "run", "iteration",
            "(F - F_end) / (F_start - F_end)",
            "F is summed over the test pictures; it must never rise. Drawn as far as single precision shows differences.",
            f"Distance of the objective to its last value, {alt}",
            log_y=True,
        )  # fmt: skip


def gaps(objective: Sequence[float]) -> list[tuple[int, float]]:
    """Return (step, (F_k - F_end) / (F_0 - F_end)) where it is above rounding; nothing where F did not fall."""
    values = np.array(objective, dtype=float)
    if len(values) < 2 or not values[0] > values[-1]:
        return []
    relative = (values - values[-1]) / (values[0] - values[-1])
    rounding = 64 * np.finfo(np.float32).eps * abs(values[-1]) / (values[0] - values[-1])
    return [(step, float(gap)) for step, gap in enumerate(relative) if gap > rounding]


def thinned(points: Sequence[Any]) -> list[Any]:
    """Return at most MOST_POINTS of the points, first and last among them, denser at the beginning."""
    if len(points) <= MOST_POINTS:
        return list(points)
    kept = np.unique(np.geomspace(1, len(points), MOST_POINTS).round().astype(int)) - 1
    return [points[index] for index in kept]
