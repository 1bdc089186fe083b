"""Vectors against scalar symbols: what joint cells cost or save at equal rates, their times, and the use of their words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sciml.compression.page.goals import AT_MOST
from sciml.compression.page.rates import MEGAPIXELS
from sciml.compression.page.results import DomainResults, VectorResults
from sciml.compression.settings.vectors import SCALAR
from sciml.compression.study.quality import METRICS, PSNR
from sciml.compression.study.results import Structure
from sciml.report.goals import UNKNOWN, Goal, judge
from sciml.report.reportlets import Claim, Column, Curve, Reportlet, Table, Value
from sciml.report.words import counted, sequence, signed

TITLE = "Vectors against scalar symbols"


def vector_reportlets(domain: DomainResults) -> Iterator[Reportlet]:
    """Yield tables and curves, or a sentence."""
    found = domain.vectors
    if found is None:
        return
    yield rate_table(found)
    yield picture_table(found)
    yield usage_curve(found)


def vector_claim(domain: DomainResults) -> Claim:
    """Return what the best structure of vectors costs at equal quality."""
    text = "Vectors beside scalar symbols behind the same first planes: BD-rate (PSNR), bits at equal quality"
    goal, found = Goal(text, AT_MOST, "%", at_most=0.0), domain.vectors
    rates = {} if found is None else found.bench.bd_rates(SCALAR, PSNR, found.seed)
    means = {name: rate.mean for name, rate in rates.items() if rate.mean is not None}
    if found is None or not means:
        return judge(goal, None)
    best = min(means, key=lambda name: means[name])
    details = f" ({best}: {words_of(found.structures[best])}; {counted(rates[best].pictures, 'validation picture')})"
    return judge(goal, means[best], rates[best].interval or UNKNOWN, details=details, shown=round(means[best], 2))


def words_of(structure: Structure) -> str:
    """Return how planes are grouped, in words."""
    settings = structure.settings
    if settings is None:
        return "one symbol a plane and block"
    parts = [f"{settings.dimensions[start]} planes a group from plane {start + 1} on" for start in sorted(settings.dimensions)]
    together = "" if settings.together == "energy" else ", neighbours by frequency"
    return f"{sequence(parts)}{together}, {settings.words} words, {'one pass' if settings.passes == 1 else 'three passes'}"


def rate_table(found: VectorResults) -> Table:
    """Return BD-rates and times of every structure."""
    speeds = found.bench.speeds()
    rates = {metric.key: found.bench.bd_rates(SCALAR, metric, found.seed) for metric in METRICS}
    rows: list[dict[str, Value]] = []
    for name in (SCALAR, *found.names):
        structure = found.structures[name]
        row: dict[str, Value] = {
            "model": name,
            "structure": words_of(structure),
            "symbols": f"{min(structure.units)} to {max(structure.units)}",
            "size": structure.file_bytes / 1e6,
        }
        for metric in METRICS:
            rate = rates[metric.key].get(name)
            interval = None if rate is None else rate.interval
            row[metric.key] = "anchor" if rate is None else "no overlap" if rate.mean is None else rate.mean
            row[f"{metric.key}.interval"] = "" if interval is None else " to ".join(signed(end, 1) for end in interval)
        encoding, decoding = speeds[name]
        rows.append(row | {"encode": MEGAPIXELS / encoding, "decode": MEGAPIXELS / decoding})
    columns = [Column("model", "model"), Column("structure", "structure"), Column("symbols", "symbols a block")]
    for metric in METRICS:
        columns.append(Column(metric.key, f"{metric.title}: BD-rate", "%", "down", 2))
        columns.append(Column(f"{metric.key}.interval", "95 % interval", "%"))
    columns += [
        Column("encode", "768 x 512, encoding", "CPU s", "down", 3), Column("decode", "768 x 512, decoding", "CPU s", "down", 3),
        Column("size", "model file", "MB", "down", 2),
    ]  # fmt: skip
    count = len({row.picture for row in found.bench.rows})
    return Table(
        TITLE,
        columns,
        rows,
        f"{counted(count, 'validation picture')}, whole files, no network; all models share transform, first planes, tables of "
        "scalar symbols and the price of a bit, and learn from the same crops. A group has one class and one word a block. "
        "Positive: vectors take more bits at equal quality.",
    )


def picture_table(found: VectorResults) -> Table:
    """Return the BD-rate of every picture."""
    rates = found.bench.bd_rates(SCALAR, PSNR, found.seed)
    pictures = list(dict.fromkeys(row.picture for row in found.bench.rows))
    rows: list[dict[str, Value]] = []
    for picture in pictures:
        row: dict[str, Value] = {"picture": picture}
        rows.append(row | {name: rates[name].by_picture.get(picture, "no overlap") for name in found.names})
    columns = [Column("picture", "picture"), *(Column(name, name, "%", "down", 2) for name in found.names)]
    return Table(f"{TITLE}: BD-rate by picture", columns, rows, "PSNR, against the scalar model, by picture.")


def usage_curve(found: VectorResults) -> Curve:
    """Return the perplexity of every codebook at the middle step."""
    rows: list[dict[str, Any]] = []
    ends = []
    for name in found.names:
        structure = found.structures[name]
        if structure.settings is None or structure.groups is None:
            continue
        step = sorted(structure.groups, key=float)[len(structure.groups) // 2]
        groups = structure.groups[step]
        rows += [{"plane": group.planes[0] + 1, "perplexity": group.perplexity, "of": name} for group in groups]
        if groups:
            used, revived = (sum(getattr(group, key) for group in groups) for key in ("used", "revived"))
            every = len(groups) * structure.settings.words
            ends.append(f"{name} at step {float(step):g}: {used} of {every} words used, {revived} revived")
    rows.sort(key=lambda row: row["of"])
    text = "; ".join(ends)
    return Curve(
        f"{TITLE}: perplexity of the codebooks",
        rows,
        "plane",
        "perplexity",
        "of",
        "first plane of the group",
        "perplexity of its words",
        "Two to the entropy of a group's words in training, classes aside: how many equally frequent words would need as many "
        f"bits. {text}.",
        f"perplexity of each group's codebook over its first plane; {text}",
    )
