"""Claims about files: one model for all rates, no bit wasted, every layer better, the same codes everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from sciml.compression.report_goals import AT_LEAST, AT_MOST, NEARLY_ALL, OVERHEAD, OVERHEAD_BITS, RANGE_BPP, met
from sciml.compression.report_results import DomainResults, Inspection
from sciml.compression.report_style import counted, sequence, title_of
from sciml.report.reportlets import Claim


def file_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the claims about files; `not run` where nothing was inspected."""
    yield quality_claim(domain)
    yield overhead_claim(domain.inspection)
    yield progressive_claim(domain.inspection)
    yield codes_claim(domain.inspection)


def quality_claim(domain: DomainResults) -> Claim:
    """Return whether rate and PSNR rise with the quality on every picture, and how far one model reaches."""
    low, high = RANGE_BPP
    text = f"One model from {low:g} to {high:g} bits a pixel: rate and PSNR rise with the quality, on every picture"
    if domain.best is None:
        return Claim(text, None, None, AT_LEAST, "pictures")
    rows: dict[str, list[Any]] = {}
    for row in domain.bench.rows:
        if row.codec == domain.best:
            rows.setdefault(row.picture, []).append(row)
    rising = 0
    for mine in rows.values():
        ordered = sorted(mine, key=lambda row: row.quality)
        rising += all(a.rate_bpp < b.rate_bpp and a.psnr_db < b.psnr_db for a, b in pairwise(ordered))
    every = [sorted(mine, key=lambda row: row.quality) for mine in rows.values()]
    ends = [sum(mine[place].rate_bpp for mine in every) / len(every) for place in (0, -1)]
    said = f"{text} ({title_of(domain.best)}; the bench goes from {ends[0]:.3f} to {ends[1]:.2f} on the mean)"
    reaches = ends[0] <= low and ends[1] >= high
    return Claim(said, rising, len(rows), AT_LEAST, "pictures", met(rising, len(rows), None, reaches))


def overhead(layer: Mapping[str, Any], tiles: int) -> float:
    """Return the bits of a layer beyond its ideal code length, over those that are allowed."""
    return (8 * layer["bytes"] - layer["ideal_bits"]) / (OVERHEAD * layer["ideal_bits"] + OVERHEAD_BITS * tiles)


def overhead_claim(inspection: Inspection | None) -> Claim:
    """Return whether every layer keeps to its overhead."""
    text = f"Payload within {100 * OVERHEAD:g} % and {OVERHEAD_BITS / 8:g} bytes a layer of the ideal code length of the tables"
    if inspection is None:
        return Claim(text, None, None, AT_MOST)
    found = [overhead(layer, row["tiles"]) for row in inspection.rows for layer in row["layers"]]
    actual = sum(8 * layer["bytes"] for row in inspection.rows for layer in row["layers"])
    ideal = sum(layer["ideal_bits"] for row in inspection.rows for layer in row["layers"])
    kept = sum(one <= 1 for one in found)
    said = (
        f"{text} (all layers together {100 * (actual / ideal - 1):.2f} % above it; the worst layer uses {max(found):.0%} of that)"
    )
    return Claim(said, kept, len(found), AT_LEAST, "layers", met(kept, len(found), NEARLY_ALL * len(found)))


def progressive_steps(inspection: Inspection) -> tuple[int, int]:
    """Return how many layers raise the PSNR of a picture, and how many there are after the first."""
    steps = [after["psnr_db"] > before["psnr_db"] for row in inspection.rows for before, after in pairwise(row["layers"])]
    return sum(steps), len(steps)


def progressive_claim(inspection: Inspection | None) -> Claim:
    """Return whether PSNR grows with every layer."""
    text = "PSNR grows with every progressive layer on every picture"
    if inspection is None:
        return Claim(text, None, None, AT_LEAST)
    growing, every = progressive_steps(inspection)
    qualities = sequence([f"{quality:g}" for quality in inspection.qualities])
    count = len({row["picture"] for row in inspection.rows})
    same = sum(a["psnr_db"] == b["psnr_db"] for row in inspection.rows for a, b in pairwise(row["layers"]))
    others = f"; {same} change nothing, {every - growing - same} lower it" if growing < every else ""
    said = f"{text} ({counted(count, 'picture')} at the qualities {qualities}{others})"
    return Claim(said, growing, every, AT_LEAST, "layers", met(growing, every, NEARLY_ALL * every))


def codes_claim(inspection: Inspection | None) -> Claim:
    """Return whether other processes find the same codes."""
    text = "Decoded codes are equal across processes, threads and instruction sets"
    rows = [] if inspection is None else inspection.numbers["processes"]
    if not rows:
        return Claim(text, None, None, AT_LEAST)
    equal = sum(row["codes_equal"] for row in rows)
    words = sequence(list(dict.fromkeys(row["environment"] for row in rows)))
    said = f"{text} ({counted(len({row['picture'] for row in rows}), 'picture')}: {words}; one machine)"
    return Claim(said, equal, len(rows), AT_LEAST, "decodings", met(equal, len(rows)))
