"""Colour photographs on the page: any two methods on one picture, the table, and what the numbers show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sciml.proximal.page.results import Part
from sciml.proximal.study.results import ColourNumbers, TunedParameter
from sciml.report.pictures import error_map
from sciml.report.reportlets import Column, Reportlet, Slider, Table, Text, Value
from sciml.report.words import spread

TITLE = "Colour photographs"
ERROR_LIMIT = 0.15
# pictures take most of the page's bytes: one noise level, and of both total variations the one that knows colour
SHOWN_SIGMA = 0.1
UNSHOWN = ("tv-channels",)


def colour_reportlets(colour: Part[ColourNumbers]) -> Iterator[Reportlet]:
    """Yield what the numbers show, pictures with error maps, and the tables."""
    numbers = colour.numbers
    yield Text(f"{TITLE}: what they show", numbers.reading)
    yield slider(numbers, colour.arrays)
    yield quality_table(numbers)
    yield runs_table(numbers)


def slider(numbers: ColourNumbers, arrays: Mapping[str, np.ndarray]) -> Slider:
    """Return any two pictures of the shown photograph at the noise level nearest to 0.1, with errors on one scale."""
    sigmas = [level.sigma for level in numbers.levels]
    index = min(range(len(sigmas)), key=lambda k: abs(np.log(sigmas[k] / SHOWN_SIGMA)))
    methods, name = numbers.levels[index].methods, numbers.shown
    titles = dict(numbers.titles)
    case, truth = numbers.pictures.index(name), arrays["truth"]
    found = {key: arrays[f"{index}.{key}"] for key in titles if key not in UNSHOWN}
    pictures = {titles[key]: picture.clip(0, 1) for key, picture in found.items()}
    return Slider(
        f"{TITLE}: noise {sigmas[index]:g}",
        {**pictures, "truth": truth},
        f"{name}, the test photograph with the strongest colours, the central {truth.shape[0]} x {truth.shape[1]} pixels. Errors "
        "are means over the channels.",
        f"denoising in colour, {name}",
        {label: error_map(picture, truth, ERROR_LIMIT) for label, picture in pictures.items()},
        ERROR_LIMIT,
        notes={titles[key]: f"{methods[key].psnr.values[case]:.2f} dB" for key in found},
    )


def quality_table(numbers: ColourNumbers) -> Table:
    """Return PSNR, SSIM and the pictures above joint total variation, one row a method and noise level."""
    rows: list[dict[str, Value]] = []
    for level in numbers.levels:
        for key, title in numbers.titles:
            found = level.methods[key]
            above = "is the measure" if key == "tv" else f"{found.above_tv} of {found.psnr.n}"
            rows.append(
                {
                    "sigma": level.sigma,
                    "method": title,
                    "psnr": spread(found.psnr),
                    "ssim": spread(found.ssim),
                    "above": above,
                    "parameter": parameter_words(level.tuned.get(key)),
                }
            )
    columns = [
        Column("sigma", "noise", "", None, 3), Column("method", "method"), Column("psnr", "PSNR", "dB", "up", 2),
        Column("ssim", "SSIM", "", "up", 3), Column("above", "above total variation, channels together"),
        Column("parameter", "tuned parameter"),
    ]  # fmt: skip
    size, validation, names = numbers.size, len(numbers.validation), numbers.pictures
    chosen = (
        f"Parameters were chosen on {validation} validation photographs for each noise level."
        if validation
        else "There were no validation photographs at this data tier: parameters are stated, not tuned."
    )
    caption = (
        f"Mean and standard deviation over {len(names)} colour test photographs ({', '.join(names)}), {size} x {size} pixels; "
        "grey ones are left out. PSNR is of the error over all channels, SSIM the mean of the channels'. "
        f"{chosen} The two networks also differ in their trainings, which their model cards describe."
    )
    return Table(TITLE, columns, rows, caption)


def parameter_words(tuned: TunedParameter | None) -> str:
    """Return a tuned parameter in words."""
    if tuned is None:
        return "none"
    ends = "" if tuned.bracketed or not tuned.curve else ", at the end of the search"
    return f"{tuned.parameter} {tuned.value:.3g}{ends}"


def runs_table(numbers: ColourNumbers) -> Table:
    """Return how many denoised pictures have a certificate, and the work that they took."""
    titles, rows = dict(numbers.titles), list[dict[str, Value]]()
    for level in numbers.levels:
        for key, run in level.runs.items():
            rows.append(
                {
                    "network": titles[key],
                    "sigma": level.sigma,
                    "certified": f"{sum(run.certified)} of {len(run.certified)}",
                    "gradients": float(np.mean(run.gradients)),
                    "reason": run.reason,
                }
            )
    columns = [
        Column("network", "network"), Column("sigma", "noise", "", None, 3), Column("certified", "certified pictures"),
        Column("gradients", "gradients a picture", "", None, 0),
        Column("reason", "what is certain of the first picture, or of the first without certificate"),
    ]  # fmt: skip
    return Table(f"{TITLE}: certificates", columns, rows, "F is the objective of denoising, 1/2 ||x - y||^2 + R(x).")
