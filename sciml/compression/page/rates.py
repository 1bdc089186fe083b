"""Rate and quality: BD-rates, quality at equal rates, times, curves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sciml.compression.page.results import DomainResults
from sciml.compression.page.style import line_of, spaced, title_of
from sciml.compression.study.bench import RATES_BPP
from sciml.compression.study.curves import BdRateOverPictures, picture_curve, quality_at
from sciml.compression.study.quality import METRICS, MS_SSIM, PSNR, Metric
from sciml.report.graphics.drawing import panels, plain
from sciml.report.reportlets import Column, Curve, Figure, Reportlet, Table, Text, Value
from sciml.report.words import counted, signed

ANCHORS = ("jpeg", "avif")
# a picture of the usual size of test sets, for times
MEGAPIXELS = 768 * 512 / 1e6
AXES = {PSNR.key: "PSNR of RGB (dB)", MS_SSIM.key: "MS-SSIM of RGB as \u221210 log10(1 \u2212 v) (dB)"}
# points of the curves of differences, and where they end
POINTS, MOST_BPP = 28, 1.0
SMALL_RATES = (0.07, 1.6)
MOST_PANELS = 12
QUICK = """A quick look at a few public pictures, most of them known from other papers: they were taken because they came with
packages, and the project has known them from its beginning. **No claim is made here**, margins on other pictures are smaller; the
crops that judge stand in the tab beside."""


def rate_reportlets(domain: DomainResults) -> Iterator[Reportlet]:
    """Yield tables and curves of the quick look at the main domain."""
    yield Text("What this is", QUICK)
    for anchor in ANCHORS:
        if anchor in domain.bench.codecs:
            yield bd_table(domain, anchor)
    for metric in METRICS:
        if any(domain.bench.points(codec, metric) for codec in domain.codecs):
            yield fixed_rates(domain, metric)
    yield times(domain)
    if absent := domain.bench.absent:
        yield _absent(absent)
    yield from curves(domain)
    if "webp" in domain.bench.codecs:
        yield lead_curve(domain, "webp")
    yield small_multiples(domain)


def other_domain(domain: DomainResults) -> Iterator[Reportlet]:
    """Yield what the page shows of a further domain of pictures."""
    yield bd_table(domain, "jpeg", f", {domain.name}")
    yield from curves(domain, f", {domain.name}")


def bd_table(domain: DomainResults, anchor: str, where: str = "") -> Table:
    """Return the BD-rates of all codecs against one, in both metrics."""
    found = {metric.key: domain.bd_rates(anchor, metric) for metric in METRICS}
    rows: list[dict[str, Value]] = []
    reasons: list[str] = []
    for codec in domain.codecs:
        if codec == anchor:
            continue
        row: dict[str, Value] = {"codec": title_of(codec)}
        for metric in METRICS:
            if without := found[metric.key][codec].without:
                reasons.append(f"{title_of(codec)}, {metric.title}: {len(without)} ({spaced(next(iter(without.values())))})")
            row |= {f"{metric.key}.{key}": value for key, value in _bd_cells(found[metric.key][codec]).items()}
        rows.append(row)
    columns = [Column("codec", "codec")]
    for metric in METRICS:
        columns += [
            Column(f"{metric.key}.mean", f"{metric.title}: BD-rate", "%", "down", 1),
            Column(f"{metric.key}.interval", "95 % interval", "%"),
            Column(f"{metric.key}.overlap", "overlap", "dB"),
            Column(f"{metric.key}.pictures", "pictures"),
        ]
    return Table(
        f"BD-rate against {title_of(anchor)}: bits at equal quality{where}",
        columns,
        rows,
        "Mean over pictures of the difference in rate, negative where fewer bits do. Interval: bootstrap over pictures. "
        "Overlap: range of quality that the mean curves of both codecs cover; a number says nothing outside of it.",
        "PCHIP through log rate over quality; MS-SSIM as \u221210 log10(1 \u2212 v) dB."
        + (f" Pictures without a number: {'; '.join(reasons)}." if reasons else ""),
    )


def _bd_cells(found: BdRateOverPictures) -> dict[str, Value]:
    overlap = found.of_mean_curves.overlap_db
    return {
        "mean": found.mean if found.mean is not None else "no overlap",
        "interval": "" if found.interval is None else f"{signed(found.interval[0], 1)} to {signed(found.interval[1], 1)}",
        "overlap": "" if overlap is None else f"{overlap[0]:.1f} to {overlap[1]:.1f}",
        "pictures": f"{found.pictures} of {found.pictures + len(found.without)}",
    }


def fixed_rates(domain: DomainResults, metric: Metric, where: str = "") -> Table:
    """Return the quality of every codec at the same rates."""
    values = domain.bench.at_rates(metric)
    rows: list[dict[str, Value]] = []
    for codec in domain.codecs:
        row: dict[str, Value] = {"codec": title_of(codec)}
        for rate, value in zip(RATES_BPP, values[codec], strict=True):
            row[f"{rate:g}"] = "\u2013" if value is None else value
        rows.append(row)
    digits = 2 if metric is PSNR else 4
    columns = [Column(f"{rate:g}", f"{rate:g} bpp", "dB" if metric is PSNR else "", "up", digits) for rate in RATES_BPP]
    return Table(
        f"{metric.title} at equal rate{where}",
        [Column("codec", "codec"), *columns],
        rows,
        f"Curve of the means over {counted(domain.pictures, 'picture')}, PCHIP over the logarithm of the rate; \u2013 is "
        "outside of what the codec's settings reach. Rates count the whole file.",
    )


def times(domain: DomainResults) -> Table:
    """Return the speeds of all codecs."""
    rows: list[dict[str, Value]] = []
    speeds = domain.bench.speeds()
    for codec in domain.codecs:
        encoding, decoding = speeds[codec]
        rows.append(
            {
                "codec": title_of(codec),
                "encoding": encoding,
                "decoding": decoding,
                "encode": MEGAPIXELS / encoding,
                "decode": MEGAPIXELS / decoding,
                "settings": domain.bench.codecs[codec],
            }
        )
    columns = [
        Column("codec", "codec"), Column("encoding", "encoding", "Mpx/CPU s", "up", 2),
        Column("decoding", "decoding", "Mpx/CPU s", "up", 2), Column("encode", "768 x 512, encoding", "CPU s", "down", 3),
        Column("decode", "768 x 512, decoding", "CPU s", "down", 3), Column("settings", "settings"),
    ]  # fmt: skip
    return Table(
        "Times on one core",
        columns,
        rows,
        "Processor seconds of all threads together, over all pictures and settings; the larger the file, the longer. Ours is "
        "Python with NumPy and PyTorch beside libraries in C.",
    )


def _absent(absent: dict[str, str]) -> Table:
    columns = [Column("codec", "codec"), Column("reason", "why")]
    return Table("Codecs that did not run", columns, [{"codec": title_of(name), "reason": why} for name, why in absent.items()])


def curves(domain: DomainResults, where: str = "") -> Iterator[Curve]:
    """Yield the curve of each metric, all codecs."""
    for metric in METRICS:
        rows: list[dict[str, Any]] = []
        for codec in domain.codecs:
            curve = domain.curve(codec, metric)
            rows += [
                {"codec": title_of(codec), "rate_bpp": rate, "decibels": quality}
                for rate, quality in zip(curve.rates_bpp, curve.decibels, strict=True)
            ]
        if rows:
            yield Curve(
                f"Rate and {metric.title}{where}",
                rows,
                "rate_bpp",
                "decibels",
                "codec",
                "rate (bits a pixel)",
                AXES[metric.key] if not where else AXES[metric.key].replace(" of RGB", ""),
                f"Means over {counted(domain.pictures, 'test picture')}; a point is a setting of the codec, whole files. Our "
                "models are one model at several qualities.",
                f"{metric.title} over the rate of {', '.join(title_of(codec) for codec in domain.codecs)}; higher is better",
                log_x=True,
            )


def lead_curve(domain: DomainResults, other: str) -> Curve:
    """Return how many dB every codec lies above one of them, over the rate."""
    base = domain.curve(other, PSNR)
    rows: list[dict[str, Any]] = []
    for codec in domain.codecs:
        curve = domain.curve(codec, PSNR)
        if codec == other or not curve.rates_bpp:
            continue
        low, high = max(base.rates_bpp[0], curve.rates_bpp[0]), min(base.rates_bpp[-1], curve.rates_bpp[-1], MOST_BPP)
        for rate in np.geomspace(low, high, POINTS) if low < high else ():
            ours, theirs = quality_at(curve, float(rate)), quality_at(base, float(rate))
            if ours is not None and theirs is not None:
                rows.append({"codec": title_of(codec), "rate_bpp": round(float(rate), 4), "lead_db": round(ours - theirs, 3)})
    return Curve(
        f"Lead over {title_of(other)} at equal rate",
        rows,
        "rate_bpp",
        "lead_db",
        "codec",
        "rate (bits a pixel)",
        f"PSNR above {title_of(other)} (dB)",
        f"Difference of the mean curves, where both reach; {title_of(other)} is 0.",
        f"PSNR of the codecs minus that of {title_of(other)} over the rate",
    )


def small_multiples(domain: DomainResults) -> Figure:
    """Return the curves of every picture, one panel each."""
    names = domain.names[:MOST_PANELS]
    across = min(3, len(names))
    down = -(-len(names) // across)

    def draw(axes: Any, figure: Any) -> None:
        for place, (name, panel) in enumerate(zip(names, axes, strict=False)):
            for codec in domain.codecs:
                curve = picture_curve(domain.bench.points(codec, PSNR).get(name, {}), PSNR)
                near = [pair for pair in zip(curve.rates_bpp, curve.decibels, strict=True) if pair[0] <= SMALL_RATES[1]]
                width = 2.0 if codec == domain.best else 1.2
                panel.plot(*np.array(near).reshape(-1, 2).T, **line_of(codec), linewidth=width, label=title_of(codec))
            panel.set_xscale("log")
            panel.set_xlim(*SMALL_RATES)
            panel.set_xticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
            panel.minorticks_off()
            plain(panel, "bits a pixel" if place >= len(names) - across else "", "PSNR (dB)" if place % across == 0 else "", name)
        for panel in axes[len(names) :]:
            panel.set_visible(False)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False, fontsize=9)

    return Figure(
        "Rate and PSNR of every picture",
        panels(across, (3.2 * across, 2.5 * down + 0.6), draw, down, 100),
        "The same colours as in the curves. Each picture has an axis of its own.",
        f"PSNR over the rate for each of {counted(len(names), 'picture')}, one panel each, a line a codec",
    )
