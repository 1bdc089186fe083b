"""The page's claims: each with our number, its goal, and whether it is met.

First those beside other codecs, on crops chosen by a rule, then vectors, files, and slices and fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from sciml.compression.page.goals import (
    AT_LEAST,
    AT_MOST,
    BD_JPEG_2000,
    BD_PHOTO,
    OVERHEAD,
    OVERHEAD_BITS,
    PIXEL_SHARE,
    RANGE_BPP,
    RATIO,
    SPECTRUM_ERROR,
)
from sciml.compression.page.margins.claims import margin_claims
from sciml.compression.page.results import DomainResults, Inspection
from sciml.compression.page.style import title_of
from sciml.compression.page.vectors import vector_claim
from sciml.compression.study.inspection_results import Layer
from sciml.compression.study.quality import PSNR
from sciml.compression.study.results import Row
from sciml.report.goals import UNKNOWN, Goal, judge
from sciml.report.reportlets import Claim
from sciml.report.words import counted, listed, percent, sequence


def claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield every claim of the page; `not run` where its data are absent."""
    yield from margin_claims(domain.margins)
    yield vector_claim(domain)
    yield from file_claims(domain)


def _bd_claim(domain: DomainResults, goal: Goal, anchor: str) -> Claim:
    """Return the mean BD-rate in PSNR with its interval over pictures, and over which PSNR it goes."""
    found = domain.bd_rates(anchor, PSNR).get(domain.best or "")
    if found is None or found.mean is None:
        return judge(goal, None)
    words = "" if found.interval is None else f"; 95 % interval {listed(found.interval, '+.1f')} %"
    overlap = found.of_mean_curves.overlap_db
    words += f"; over {overlap[0]:.0f} to {overlap[1]:.0f} dB" if overlap else ""
    details = f" ({title_of(domain.best or '')}; mean over {counted(found.pictures, 'test picture')}{words})"
    return judge(goal, found.mean, found.interval or UNKNOWN, True, details, round(found.mean, 1))


def file_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the claims about files; `not run` where nothing was inspected."""
    yield quality_claim(domain)
    yield overhead_claim(domain.inspection)
    yield progressive_claim(domain.inspection)
    yield codes_claim(domain.inspection)


def quality_claim(domain: DomainResults) -> Claim:
    """Return whether rate and PSNR rise with the quality on every picture, and how far one model reaches."""
    low, high = RANGE_BPP
    text = f"One model from {low:g} to {high:g} bpp: rate and PSNR rise with the quality, on every picture"
    if domain.best is None:
        return judge(Goal(text, AT_LEAST, "pictures"), None)
    rows: dict[str, list[Row]] = {}
    for row in domain.bench.rows:
        if row.codec == domain.best:
            rows.setdefault(row.picture, []).append(row)
    rising = 0
    for mine in rows.values():
        ordered = sorted(mine, key=lambda row: row.quality)
        rising += all(a.rate_bpp < b.rate_bpp and a.psnr_db < b.psnr_db for a, b in pairwise(ordered))
    every = [sorted(mine, key=lambda row: row.quality) for mine in rows.values()]
    ends = [sum(mine[place].rate_bpp for mine in every) / len(every) for place in (0, -1)]
    details = f" ({title_of(domain.best)}; the bench goes from {ends[0]:.3f} to {ends[1]:.2f} on the mean)"
    reaches = ends[0] <= low and ends[1] >= high
    return judge(Goal(text, AT_LEAST, "pictures", at_least=len(rows)), rising, enough=reaches, details=details)


def overhead(layer: Layer, tiles: int) -> float:
    """Return the bits of a layer beyond its ideal code length, over those that are allowed."""
    return (8 * layer.bytes - layer.ideal_bits) / (OVERHEAD * layer.ideal_bits + OVERHEAD_BITS * tiles)


def overhead_claim(inspection: Inspection | None) -> Claim:
    """Return whether every layer keeps to its overhead."""
    text = f"Payload within {100 * OVERHEAD:g} % and {OVERHEAD_BITS / 8:g} bytes a layer of the ideal code length of the tables"
    if inspection is None:
        return judge(Goal(text, AT_MOST), None)
    found = [overhead(layer, row.tiles) for row in inspection.rows for layer in row.layers]
    actual = sum(8 * layer.bytes for row in inspection.rows for layer in row.layers)
    ideal = sum(layer.ideal_bits for row in inspection.rows for layer in row.layers)
    kept = sum(one <= 1 for one in found)
    details = f" (all layers together {100 * (actual / ideal - 1):.2f} % above it; the worst layer uses "
    details += f"{percent(max(found), 0)} of that)"
    return judge(Goal(text, AT_LEAST, "layers", at_least=len(found)), kept, details=details)


def progressive_steps(inspection: Inspection) -> tuple[int, int]:
    """Return how many layers raise the PSNR of a picture, and how many there are after the first."""
    steps = [after.psnr_db > before.psnr_db for row in inspection.rows for before, after in pairwise(row.layers)]
    return sum(steps), len(steps)


def progressive_claim(inspection: Inspection | None) -> Claim:
    """Return whether PSNR grows with every layer."""
    text = "PSNR grows with every progressive layer on every picture"
    if inspection is None:
        return judge(Goal(text, AT_LEAST), None)
    growing, every = progressive_steps(inspection)
    qualities = sequence([f"{quality:g}" for quality in inspection.qualities])
    count = len({row.picture for row in inspection.rows})
    same = sum(a.psnr_db == b.psnr_db for row in inspection.rows for a, b in pairwise(row.layers))
    others = f"; {same} change nothing, {every - growing - same} lower it" if growing < every else ""
    details = f" ({counted(count, 'picture')} at the qualities {qualities}{others})"
    return judge(Goal(text, AT_LEAST, "layers", at_least=every), growing, details=details)


def codes_claim(inspection: Inspection | None) -> Claim:
    """Return whether other processes find the same codes."""
    text = "Decoded codes are equal across processes, threads and instruction sets"
    rows = [] if inspection is None else inspection.numbers.processes
    if not rows:
        return judge(Goal(text, AT_LEAST), None)
    equal = sum(row.codes_equal for row in rows)
    words = sequence(list(dict.fromkeys(row.environment for row in rows)))
    details = f" ({counted(len({row.picture for row in rows}), 'picture')}: {words}; one machine)"
    return judge(Goal(text, AT_LEAST, "decodings", at_least=len(rows)), equal, details=details)


def volumes_and_fields_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the claims about one domain; `not run` where its data are absent."""
    yield bd_claim(domain, "photo", BD_PHOTO)
    yield bd_claim(domain, "jpeg2000", BD_JPEG_2000)
    if domain.volumes_and_fields is not None:
        yield pixel_claim(domain)
    if domain.volumes_and_fields is not None and domain.volumes_and_fields.numbers.kind == "fields":
        yield spectrum_claim(domain)


def bd_claim(domain: DomainResults, anchor: str, bar: float) -> Claim:
    """Return the BD-rate against another codec on the domain's test pictures."""
    text = f"Model {domain.name}: BD-rate against {'the photo model' if anchor == 'photo' else title_of(anchor)} (PSNR)"
    return _bd_claim(domain, Goal(text, AT_MOST, "%", at_most=bar), anchor)


def pixel_claim(domain: DomainResults) -> Claim:
    """Return the largest difference of a pixel between processes, over the range."""
    text = f"Model {domain.name}: decoded values in other processes are equal within a share of the range"
    goal = Goal(text, AT_MOST, at_most=PIXEL_SHARE)
    rows = domain.volumes_and_fields.numbers.processes if domain.volumes_and_fields else []
    if not rows:
        return judge(goal, None)
    worst = max(row.share_of_range for row in rows)
    words = ", ".join(dict.fromkeys(row.environment for row in rows))
    same = all(row.codes_equal for row in rows)
    details = f" ({words}; one machine; codes {'equal' if same else 'NOT equal'})"
    # values from other codes are equal by chance
    return judge(goal, worst if same else np.inf, details=details, shown=float(f"{worst:.2g}"))


def spectrum_claim(domain: DomainResults) -> Claim:
    """Return the worst error of the enstrophy spectrum at 20 times smaller than float32."""
    text = (
        f"Model {domain.name}: enstrophy spectrum up to the wavenumber below which 99 % lies, {RATIO} times smaller than float32"
    )
    rows = (
        [row for row in domain.volumes_and_fields.numbers.spectra if row.codec == "nic" and row.ratio == RATIO]
        if domain.volumes_and_fields
        else []
    )
    goal = Goal(text, AT_MOST, "%", at_most=SPECTRUM_ERROR)
    if not rows:
        return judge(goal, None)
    worst = 100 * max(row.largest for row in rows)
    runs = len({row.run for row in rows})
    details = f" (largest relative error of a shell, worst of {counted(len(rows), 'field')} of {counted(runs, 'run')})"
    return judge(goal, worst, details=details, shown=float(f"{worst:.2g}"))
