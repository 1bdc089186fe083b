"""Tables and drawings of the crops that judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sciml.compression.page.style import judged_title, line_of
from sciml.compression.study.margins.codecs import NEURAL, OURS, OURS_MS_SSIM
from sciml.compression.study.margins.statistics import RATES_BPP, Margins
from sciml.compression.study.quality import METRICS, MS_SSIM, PSNR, Metric
from sciml.report.graphics.drawing import panels, plain
from sciml.report.reportlets import Column, Curve, Figure, Reportlet, Table, Value
from sciml.report.words import counted, percent, signed

# what the first tables compare with each other codec: our codec by PSNR, the one tuned for it by MS-SSIM
PAIRS = ((OURS, PSNR), (OURS_MS_SSIM, MS_SSIM))
JITTER = 0.32
CURVE_BPP = (0.15, 0.2, 0.25, 0.35, 0.5, 0.7, 1.0)


def margin_reportlets(margins: Margins) -> Iterator[Reportlet]:
    """Yield margins, qualities at equal rate, the spread over crops, curves and times."""
    for own, metric in PAIRS:
        if own in margins.file.codecs:
            yield margin_table(margins, own, metric)
    yield spread(margins)
    for metric in METRICS:
        yield value_table(margins, metric)
    for metric in METRICS:
        yield curve(margins, metric)
    yield time_table(margins)


def others(margins: Margins) -> list[str]:
    """Return the codecs that are not ours."""
    return [codec for codec in margins.file.codecs if not codec.startswith("nic")]


def words(margins: Margins) -> str:
    """Return on what everything was measured."""
    crops = counted(len(margins.crops), "crop")
    return f"{crops} of 768 x 512 pixels of {counted(margins.photographs, 'photograph')}, chosen by a rule; whole files."


def margin_table(margins: Margins, own: str, metric: Metric) -> Table:
    """Return how far one of ours is from every other codec: in decibels at equal rate, in bits at equal quality."""
    rows: list[dict[str, Value]] = []
    for codec in others(margins):
        row: dict[str, Value] = {"codec": judged_title(codec)}
        for rate in RATES_BPP:
            lead = margins.lead(own, codec, rate, metric)
            row |= {f"{rate:g}": lead.mean if lead.mean is not None else "not reached", f"{rate:g}.lost": _lost(lead.lost)}
        saving = margins.saving(own, codec, metric)
        ends = saving.interval
        row |= {
            "bd": saving.mean if saving.mean is not None else "no overlap",
            "ends": "" if ends is None else f"{signed(ends[0], 1)} to {signed(ends[1], 1)}",
            "bd.lost": _lost(saving.lost),
            "crops": len(saving.by_crop),
        }
        rows.append(row)
    columns = [Column("codec", "against")]
    for rate in RATES_BPP:
        columns += [Column(f"{rate:g}", f"{rate:g} bpp", "dB", None, 2), Column(f"{rate:g}.lost", "lost")]
    columns += [
        Column("bd", "BD-rate", "%", None, 1), Column("ends", "95 % interval", "%"), Column("bd.lost", "lost"),
        Column("crops", "crops", "", None, 0),
    ]  # fmt: skip
    return Table(
        f"{judged_title(own)[0].upper()}{judged_title(own)[1:]}: {metric.title} at equal rate and bits at equal {metric.title}",
        columns,
        rows,
        f"{words(margins)} Decibels above the other codec; lost: share of crops on which that one is better. BD-rate: bits at "
        "equal quality, negative where ours needs fewer. Means over crops; intervals by a bootstrap over photographs.",
        f"PCHIP through each crop's own points; nothing is extrapolated.{ended_words(margins, own, metric)}{_absent(margins)}"
        f"{measured_words(margins)}",
    )


def _lost(share: float | None) -> str:
    return "–" if share is None else percent(share, 0)


def _absent(margins: Margins) -> str:
    return "".join(f" {judged_title(codec)} is {reason}." for codec, reason in margins.file.absent.items())


def ended_words(margins: Margins, own: str, metric: Metric) -> str:
    """Return on how many crops the best setting of one of ours needs fewer bits than the highest rate."""
    high = RATES_BPP[-1]
    count = sum(margins.ends(own, crop, high, metric) for crop in margins.crops)
    words = f" A codec whose best setting needs fewer bits stays at that one: at {high:g} bpp ours does on "
    return f"{words}{counted(count, 'crop')}." if count else ""


def measured_words(margins: Margins) -> str:
    """Return when the curves were measured, and how many files were made again, where they came with the model."""
    if margins.file.again is None:
        return ""
    same, every = margins.file.again
    return (
        f" Measured on {margins.file.measured}, when the model was made; of {every} files of ours that this run made again, "
        f"{same} have the size that was measured."
    )


def value_table(margins: Margins, metric: Metric) -> Table:
    """Return the mean quality of every codec but the neural preset at the rates."""
    compared = [codec for codec in margins.file.codecs if codec != NEURAL]
    rows: dict[str, dict[str, Value]] = {codec: {"codec": judged_title(codec)} for codec in compared}
    columns = [Column("codec", "codec")]
    digits, unit = (2, "dB") if metric is PSNR else (4, "")
    for rate in RATES_BPP:
        means, count = margins.means(compared, rate, metric)
        for codec in compared:
            rows[codec][f"{rate:g}"] = means.get(codec, "not reached")
        columns.append(Column(f"{rate:g}", f"{rate:g} bpp, {counted(count, 'crop')}", unit, "up", digits))
    return Table(
        f"{metric.title} at equal rate, by codec",
        columns,
        list(rows.values()),
        f"{words(margins)} A codec whose best setting needs fewer bits stays at that one.",
    )


def spread(margins: Margins) -> Figure:
    """Return the BD-rates of ours against every other codec, a dot a crop."""
    shown = [codec for codec in others(margins) if margins.saving(OURS, codec, PSNR).by_crop]

    def draw(axes: Any, figure: Any) -> None:
        (panel,) = axes
        for place, codec in enumerate(shown):
            saving = margins.saving(OURS, codec, PSNR)
            values = np.array(list(saving.by_crop.values()))
            heights = place + JITTER * (np.argsort(np.argsort(values)) / max(len(values) - 1, 1) - 0.5) * 2
            look = line_of(codec)
            panel.plot(values, heights, ".", color=look["color"], markersize=5, alpha=0.8, label=judged_title(codec))
            panel.plot([saving.mean, saving.mean], [place - 0.42, place + 0.42], color="#000000", linewidth=1.6)
        panel.axvline(0, color="#444444", linewidth=0.8, linestyle=(0, (3, 3)))
        panel.set_yticks(range(len(shown)), [judged_title(codec) for codec in shown])
        panel.invert_yaxis()
        plain(panel, "bits of ours at equal PSNR (%), negative: fewer")
        panel.grid(axis="y", visible=False)

    return Figure(
        "Spread over the crops: bits of ours at equal PSNR against each codec",
        panels(1, (8.6, 0.5 * len(shown) + 1.0), draw, dpi=110),
        f"{words(margins)} A dot is a crop, lowest first; the bar is their mean. Right of the dashed line the other codec needs "
        "fewer bits.",
        f"BD-rates of our codec against {counted(len(shown), 'other codec')}, a row of dots each, with the mean",
    )


def curve(margins: Margins, metric: Metric) -> Curve:
    """Return mean quality over the rate, of every codec but the neural preset."""
    compared = [codec for codec in margins.file.codecs if codec != NEURAL]
    rows: list[dict[str, Any]] = []
    fewest = len(margins.crops)
    for rate in CURVE_BPP:
        means, count = margins.means(compared, rate, metric)
        fewest = min(fewest, count)
        for codec, value in means.items():
            rows.append({"codec": judged_title(codec), "rate_bpp": rate, "decibels": round(metric.decibels(value), 4)})
    axis = "PSNR of RGB (dB)" if metric is PSNR else "MS-SSIM of RGB as −10 log10(1 − v) (dB)"
    return Curve(
        f"Rate and {metric.title} on the crops that judge",
        rows,
        "rate_bpp",
        "decibels",
        "codec",
        "rate (bits a pixel)",
        axis,
        f"{words(margins)} Each crop's curve is read at these rates, then averaged over the crops on which every codec has a "
        f"setting of so few bits, at least {fewest}.",
        f"{metric.title} over the rate of {counted(len(compared), 'codec')} on the crops that judge; higher is better",
        log_x=True,
    )


def time_table(margins: Margins) -> Table:
    """Return the times of every codec."""
    rows: list[dict[str, Value]] = []
    for codec, settings in margins.file.codecs.items():
        encode, decode = margins.seconds(codec)
        rows.append({"codec": judged_title(codec), "encode": encode, "decode": decode, "settings": settings})
    columns = [
        Column("codec", "codec"), Column("encode", "encoding", "CPU s", "down", 3),
        Column("decode", "decoding", "CPU s", "down", 3), Column("settings", "settings"),
    ]  # fmt: skip
    return Table("Times of one crop on one core", columns, rows, f"Processor seconds, means over all points. {words(margins)}")
