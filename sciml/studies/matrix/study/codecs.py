"""The matrix of codecs, from what compression measured: PSNR at equal size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sciml.compression import BenchFile, CurvesFile, curve, quality_at
from sciml.runtime.seeds import Seeds
from sciml.studies.matrix.study.contest import contest, front
from sciml.studies.matrix.study.results import Cell, ColumnFacts, RowResult, Section

TITLES = {
    "nic": "learned codec",
    "nic-neural": "neural codec",
    "jpeg": "JPEG",
    "webp": "WebP",
    "avif": "AVIF, speed 6",
    "avif-3": "AVIF, speed 3",
    "avif-444": "AVIF 4:4:4, speed 6",
    "hevc-444": "HEVC intra 4:4:4",
    "jpegxl": "JPEG XL",
    "jpeg2000": "JPEG 2000",
}
"""Codecs in the order of the page; the first two are this project's."""
RATES_BPP = (0.25, 0.5, 1.0)
# of the crops on which a codec must reach a rate to stand in its row; the row is over those that all of its codecs reach
LEAST_SHARE = 0.9
Point = tuple[float, float | None]


def codecs(crops: CurvesFile | None, bench: BenchFile | None, seed: int, shipped: bool) -> Section | None:
    """Return the matrix of codecs; None where compression has no results.

    Args:
        crops: curves on the crops that judge.
        bench: curves on the test photographs.
        seed: master seed of the bootstrap.
        shipped: whether the curves of the crops are those that came with the model.
    """
    rows: list[RowResult] = []
    if crops is not None:
        points = {
            codec: {crop: [(8 * one.file_bytes / crops.pixels, one.psnr_db) for one in found] for crop, found in by.items()}
            for codec, by in crops.points.items()
        }
        costs = {codec: _mean(one.encode_s for by in every.values() for one in by) for codec, every in crops.points.items()}
        rows += _rows("crops that judge", points, crops.photographs, costs, seed)
    if bench is not None:
        measured: dict[str, dict[str, list[Point]]] = {}
        for one in bench.rows:
            measured.setdefault(one.codec, {}).setdefault(one.picture, []).append((one.rate_bpp, one.psnr_db))
        costs = {codec: _mean(one.encode_s for one in bench.rows if one.codec == codec) for codec in measured}
        rows += _rows("test photographs", measured, {name: name for name in bench.pictures}, costs, seed)
    if not rows:
        return None
    used = {cell.method for row in rows for cell in row.cells if cell.mean is not None}
    columns = [ColumnFacts(name=name, title=title, family="compression") for name, title in TITLES.items() if name in used]
    rows = [row.model_copy(update={"cells": [cell for cell in row.cells if cell.method in used]}) for row in rows]
    origin = "measured when the model was made" if shipped else "read from this run's results of compression"
    note = (
        "PSNR of RGB for at most a size of file, between measured settings by monotone cubics, where a codec's best "
        f"setting is smaller that one; {origin}. The time is that of encoding"
    )
    return Section(
        name="codecs",
        title="Compression: codecs at equal size",
        metric="PSNR",
        unit="dB",
        larger=True,
        note=note,
        columns=columns,
        rows=rows,
    )


def _rows(
    where: str,
    points: Mapping[str, Mapping[str, list[Point]]],
    photographs: Mapping[str, str],
    costs: Mapping[str, float],
    seed: int,
) -> Iterable[RowResult]:
    """Yield one row a rate, with the codecs whose settings reach it."""
    known = {name: points[name] for name in TITLES if name in points}
    for rate in RATES_BPP:
        found = {name: _at(by, rate) for name, by in known.items()}
        found = {name: values for name, values in found.items() if len(values) >= LEAST_SHARE * len(photographs)}
        cases = [crop for crop in photographs if all(crop in values for values in found.values())]
        if not found or not cases:
            continue
        values = {name: {case: by[case] for case in cases} for name, by in found.items()}
        judged = contest(values, photographs, Seeds(seed)("bootstrap", "codecs", where, int(1000 * rate)))
        best = front({name: judged.standings[name].mean for name in values}, {name: costs[name] for name in values})
        cells = [
            Cell(method=name, **vars(judged.standings[name]), front=name in best, cpu_s=costs[name])
            if name in values
            else Cell(method=name, absent="settings need more" if name in known else "not measured here")
            for name in TITLES
        ]
        yield RowResult(
            name=f"{where.replace(' ', '-')}-{rate:g}",
            title=f"{rate:g} bits a pixel, {where}",
            operator="",
            cases=len(cases),
            subjects=len({photographs[case] for case in cases}),
            seeds=1,
            leader=judged.leader,
            words=judged.words,
            cells=cells,
        )


def _at(by_crop: Mapping[str, list[Point]], rate: float) -> dict[str, float]:
    """Return PSNR by crop for at most a rate: a codec whose best setting needs fewer bits stays at that one."""
    found = {}
    for crop, points in by_crop.items():
        line = curve((bits, decibels) for bits, decibels in points if decibels is not None)
        ends = bool(line.rates_bpp) and line.rates_bpp[-1] < rate
        value = line.decibels[-1] if ends else quality_at(line, rate)
        if value is not None:
            found[crop] = value
    return found


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
