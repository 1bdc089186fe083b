"""What the page shows of slices and fields: rates, pictures at equal bytes with their errors, spectra of decoded fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sciml.compression.page.goals import PIXEL_SHARE
from sciml.compression.page.rates import bd_table, curves, fixed_rates
from sciml.compression.page.results import DomainResults, VolumesAndFields
from sciml.compression.page.style import picture_words, title_of
from sciml.compression.study.quality import PSNR
from sciml.report.graphics.drawing import INK, SOFT, panels, plain, signed_picture
from sciml.report.graphics.palette import COLOURS
from sciml.report.pictures import error_map
from sciml.report.reportlets import Check, Checks, Column, Figure, Gallery, Reportlet, Table, Value
from sciml.report.words import thousands

LEAST_SIDE = 200
# errors of the maps, over the largest root mean square of the shown codecs
ERROR_LIMIT = 4.0
KINDS = {"slices": "neighbouring slices of volumes, 16 bits; the first is shown", "fields": "simulated fields, float32"}


def volumes_and_fields_reportlets(domain: DomainResults) -> Iterator[Reportlet]:
    """Yield everything about one further domain."""
    where = f", {domain.name}"
    for anchor in ("photo", "jpeg2000"):
        if anchor in domain.bench.codecs:
            yield bd_table(domain, anchor, where)
    yield fixed_rates(domain, PSNR, where)
    yield from curves(domain, where)
    if domain.volumes_and_fields is None:
        return
    samples = domain.volumes_and_fields
    for name in dict.fromkeys(row.picture for row in samples.numbers.equal):
        yield strip(domain, samples, name)
    if samples.numbers.spectra:
        yield spectrum_table(samples, where)
        yield spectrum_figure(samples, where)
    yield Checks(list(volumes_and_fields_checks(domain.name, samples)), f"Certificates, {domain.name}")


def strip(domain: DomainResults, samples: VolumesAndFields, name: str) -> Gallery:
    """Return the original, the decoded pictures and their error maps, all files of one size."""
    rows = {row.codec: row for row in samples.numbers.equal if row.picture == name}
    original = samples.arrays[f"{name}/original"]
    rms = max(float(np.sqrt(np.mean((samples.arrays[f"{name}/{codec}"] - original) ** 2))) for codec in rows)
    limit = ERROR_LIMIT * rms
    pictures = {"original": _shown(original, samples)}
    notes = {}
    for codec, row in rows.items():
        pictures[title_of(codec)] = _shown(samples.arrays[f"{name}/{codec}"], samples)
        notes[title_of(codec)] = f"{thousands(row.bytes)} bytes, {row.psnr_db:.2f} dB"
    for codec in rows:
        errors = error_map(samples.arrays[f"{name}/{codec}"], original, limit)
        pictures[f"error, {title_of(codec)}"] = _enlarged(errors)
    row = rows["nic"]
    unit = f" {row.unit}" if row.unit not in ("", "1") else ""
    span = f" (the range is {row.range:.4g}{unit})" if samples.numbers.kind == "fields" else ""
    return Gallery(
        f"{picture_words(name)} at {8 * row.bytes / row.pixels:.2f} bpp",
        pictures,
        f"The domain {domain.name}: {KINDS[samples.numbers.kind]}. Files as large as that of JPEG 2000 or smaller. Errors on "
        f"one scale from 0 to {limit:.2g} of what is shown as black to white{span}.",
        f"a picture of the domain {domain.name} from three codecs at equal bytes, and the errors",
        notes,
    )


def _shown(values: np.ndarray, samples: VolumesAndFields) -> np.ndarray:
    """Return values from 0 to 1 as grey, fields as signed colours, enlarged."""
    if samples.numbers.kind == "fields":
        return _enlarged(signed_picture(2 * values - 1, 1.0))
    return _enlarged(values.clip(0, 1))


def _enlarged(picture: np.ndarray) -> np.ndarray:
    """Return a small picture with every pixel as a square of several."""
    times = max(1, -(-LEAST_SIDE // min(picture.shape[:2])))
    return picture.repeat(times, 0).repeat(times, 1)


def spectrum_table(samples: VolumesAndFields, where: str) -> Table:
    """Return the errors of spectrum and enstrophy by codec and size."""
    rows: list[dict[str, Value]] = []
    spectra = samples.numbers.spectra
    for ratio in dict.fromkeys(row.ratio for row in spectra):
        for codec in ("nic", "jpeg2000"):
            mine = [row for row in spectra if row.codec == codec and row.ratio == ratio]
            rows.append(
                {
                    "codec": title_of(codec),
                    "ratio": f"{ratio:g}",
                    "bytes": float(np.mean([row.bytes for row in mine])),
                    "worst": 100 * max(row.largest for row in mine),
                    "mean": 100 * float(np.mean([row.largest for row in mine])),
                    "total": 100 * max(abs(row.total) for row in mine),
                    "rms": 100 * float(np.mean([row.rms_over_deviation for row in mine])),
                }
            )
    columns = [
        Column("codec", "codec"), Column("ratio", "times smaller than float32"), Column("bytes", "bytes, mean", "", "down", 0),
        Column("worst", "spectrum, worst field", "%", "down", 3), Column("mean", "spectrum, mean over fields", "%", "down", 3),
        Column("total", "total enstrophy, worst field", "%", "down", 4), Column("rms", "error over deviation", "%", "down", 3),
    ]  # fmt: skip
    fields = len({row.picture for row in spectra})
    last = sorted({row.last for row in spectra})
    return Table(
        f"Enstrophy of decoded vorticity{where}",
        columns,
        rows,
        f"{fields} vorticity fields of runs that were never trained on. Spectrum: the largest relative error of a shell of "
        f"wavenumbers up to the one below which 99 % of the enstrophy lies (shell {last[0]} to {last[-1]}).",
        group="ratio",
    )


def spectrum_figure(samples: VolumesAndFields, where: str) -> Figure:
    """Return the spectra of one field, decoded at several sizes."""
    original = samples.arrays["spectrum/original"]
    first = samples.numbers.spectra[0]
    ratios = list(dict.fromkeys(row.ratio for row in samples.numbers.spectra))
    shells = np.arange(1, len(original))

    def draw(axes: Any, figure: Any) -> None:
        for panel, codec in zip(axes, ("nic", "jpeg2000"), strict=True):
            panel.plot(shells, original[1:], color=INK, linewidth=2.5, label="original")
            for number, ratio in enumerate(ratios):
                found = samples.arrays[f"spectrum/{codec}/{ratio:g}"]
                panel.plot(
                    shells, found[1:], color=COLOURS[number % len(COLOURS)], linewidth=1.3, label=f"{ratio:g} times smaller"
                )
            panel.axvline(first.last, color=SOFT, linestyle=":", linewidth=1)
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.set_ylim(bottom=max(float(original[1:].min()) / 10, float(original.max()) * 1e-12))
            plain(panel, "shell of wavenumbers", "enstrophy" if codec == "nic" else "", title_of(codec))
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False, fontsize=9)

    return Figure(
        f"Enstrophy spectrum of {picture_words(first.picture)}{where}",
        panels(2, (8.0, 3.6), draw, 1, 110),
        "Dotted: 99 % of the enstrophy lies to the left. To the right codecs lose the finest waves, or add their noise.",
        "enstrophy over the wavenumber of one vorticity field, original and decoded at several sizes, ours and JPEG 2000",
    )


def volumes_and_fields_checks(name: str, samples: VolumesAndFields) -> Iterator[Check]:
    """Yield whether other processes find the same, and how errors at the border compare."""
    rows = samples.numbers.processes
    equal = sum(row.codes_equal for row in rows)
    text = "files decoded in fresh processes with other threads and vector units"
    yield Check(f"equal codes, {name}", equal, len(rows), equal == len(rows), "decodings", text)
    worst = max(row.share_of_range for row in rows)
    yield Check(f"equal values, {name}", float(f"{worst:.2g}"), PIXEL_SHARE, worst <= PIXEL_SHARE, "of the range", text)
    if borders := samples.numbers.borders:
        ratio = float(np.mean([row.ratio for row in borders]))
        text = "root mean square error within 16 pixels of the border over that inside: the codec knows no periodic fields"
        yield Check(f"error at the border, {name}", round(ratio, 3), 2, ratio <= 2, "", text)
