"""The command `bench`: codecs compared on the user's own pictures, in tables, files and a figure."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sciml.options import Seed

if TYPE_CHECKING:
    from rich.table import Table

    from sciml.compression.study.bench import Bench, Picture, Progress
    from sciml.compression.study.quality import Metric

ALL = "jpeg,webp,jpeg2000,avif,jpegxl"
WIDTH = 130


def bench_command(
    images: Annotated[list[str], typer.Argument(help="Pictures of 8 bits (PNG, JPEG, TIFF, NPY), folders of them, or patterns.")],
    codecs: Annotated[
        str, typer.Option(help="Codecs, joined by commas: those of the default, and nic:MODEL for our own models.")
    ] = ALL,
    out: Annotated[Path | None, typer.Option(help="Folder for bench.csv, bench.json and rate-distortion.png.")] = None,
    anchor: Annotated[str, typer.Option(help="Codec that BD-rates are against.")] = "jpeg",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes. Times are truest with 1.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Repetitions of each step; the least time counts.")] = 1,
    seed: Seed = 0,
    linear_rate: Annotated[
        bool, typer.Option("--linear-rate", help="Draw the rate on a linear axis, not a logarithmic.")
    ] = False,
) -> None:
    """Compare picture codecs on your pictures, by the bytes of whole files: PSNR, MS-SSIM, BD-rate and speed.

    Colour is compared in RGB and grey in grey; an alpha channel is dropped with a warning. A codec whose library is absent is
    reported as not installed. Tables go to standard output, progress and warnings to standard error. Exits with 3 when a codec
    failed on a picture; the rest is shown and written all the same.

    Example: sciml compression bench photos --codecs jpeg,webp,avif --out comparison
    """
    from rich.console import Console

    from sciml.compression.study.anchors import codecs_by_name, missing_reason
    from sciml.compression.study.bench import run_bench
    from sciml.runtime.errors import ConfigError, PartialResult, ScimlError
    from sciml.stages import Interrupted

    chosen = codecs_by_name([name.strip() for name in codecs.split(",") if name.strip()])
    base = next((codec for codec in chosen if codec.name == anchor), None)
    if base is None:
        raise ConfigError(f"the anchor {anchor} is not among the codecs {codecs}: add it, or choose one by --anchor")
    if reason := missing_reason(base):
        raise ConfigError(f"the anchor {anchor} is {reason}: choose another by --anchor")
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)  # before minutes of work
        except OSError as error:
            raise ScimlError(f"cannot write to {out}: {error.strerror or error}; choose another folder") from error
    pictures = find_pictures(images)
    for note, names in _by_note(pictures).items():
        _warn(f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}: {note}")
    try:
        with _progress() as progress:
            bench = run_bench(pictures, chosen, repeats=repeats, jobs=jobs, progress=progress)
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted: nothing was written; run it again to start anew") from error
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    for table in tables(bench, anchor, seed):
        console.print(table)
    for name, why in bench.absent.items():
        _warn(f"{name} is {why}")
    if out is not None:
        bench.write(out, anchor, seed)
        draw(bench, out / "rate-distortion.png", log_rate=not linear_rate)
        typer.echo(f"{out}: bench.csv, bench.json, rate-distortion.png")
    if bench.failures:
        first = bench.failures[0]
        raise PartialResult(
            f"{len(bench.failures)} of {len(bench.failures) + len(bench.rows)} points failed, the first: {first.codec} at "
            f"{first.quality:g} on {first.picture}: {first.reason}"
        )


def find_pictures(words: Sequence[str]) -> list[Picture]:
    """Return the pictures that files, folders and patterns name, each read once to be sure of it.

    Raises:
        DataError: a file is missing or no picture of 8 bits, or there is no picture at all.
    """
    from sciml.batch import find
    from sciml.compression.pictures.eight_bits import SUFFIXES, read_pixels
    from sciml.compression.study.bench import Picture

    paths = [item.path for item in find(words, SUFFIXES)]
    names = [path.name for path in paths]
    return [Picture(path.name if names.count(path.name) == 1 else str(path), path, read_pixels(path)[1]) for path in paths]


def tables(bench: Bench, anchor: str, seed: int = 0) -> Iterator[Table]:
    """Yield the tables of a comparison: BD-rates, PSNR and MS-SSIM at equal rates, and speeds."""
    from sciml.compression.study.quality import METRICS

    yield _bd_table(bench, anchor, seed)
    for metric in METRICS:
        if any(bench.points(codec, metric) for codec in bench.codecs):
            yield _rate_table(bench, metric)
    yield _speed_table(bench)


def _bd_table(bench: Bench, anchor: str, seed: int) -> Table:
    from sciml.compression.study.quality import METRICS

    reasons: dict[str, None] = {}
    table = _table(
        f"BD-rate against {anchor}: rate at equal quality, mean over pictures",
        ("codec", "by", "BD-rate %", "95 % interval", "pictures", "mean curves %", "overlap dB", "share"),
    )
    for metric in METRICS:
        for codec, found in bench.bd_rates(anchor, metric, seed).items():
            curves, every = found.of_mean_curves, found.pictures + len(found.without)
            if not every:
                reasons[f"no picture has {metric.title}"] = None
                continue
            reasons |= dict.fromkeys(found.without.values())
            low, high = curves.overlap_db or (math.nan, math.nan)
            table.add_row(
                codec,
                metric.title,
                _number(found.mean, "+.1f"),
                "-" if found.interval is None else f"{found.interval[0]:+.1f} to {found.interval[1]:+.1f}",
                f"{found.pictures} of {every}",
                _number(curves.percent, "+.1f"),
                f"{low:.1f} to {high:.1f}" if curves.overlap_db else "-",
                f"{curves.share:.0%}",
            )
        table.add_section()
    table.caption = (
        "Negative: fewer bits. PCHIP; MS-SSIM as -10 log10(1 - v) dB. Interval: bootstrap over pictures. Overlap and its share "
        "of the shorter curve: of the mean curves." + "".join(f"\nNo number: {reason}." for reason in reasons)
    )
    return table


def _rate_table(bench: Bench, metric: Metric) -> Table:
    from sciml.compression.study.bench import RATES_BPP
    from sciml.compression.study.quality import PSNR

    table = _table(f"{metric.title}{' in dB' if metric is PSNR else ''} at equal rate", ("codec", *map(str, RATES_BPP)))
    for codec, values in bench.at_rates(metric).items():
        table.add_row(codec, *(_number(value, ".2f" if metric is PSNR else ".4f") for value in values))
    count = len({picture for codec in bench.codecs for picture in bench.points(codec, metric)})
    table.caption = f"Bits a pixel, whole files; curve of the means over {count} pictures, PCHIP over log rate; - is outside it."
    return table


def _speed_table(bench: Bench) -> Table:
    table = _table("Speed in megapixels a processor second", ("codec", "encoding", "decoding", "settings"))
    for codec, (encoding, decoding) in bench.speeds().items():
        table.add_row(codec, f"{encoding:.3g}", f"{decoding:.3g}", bench.codecs[codec])
    for codec, reason in bench.absent.items():
        table.add_row(codec, "-", "-", reason)
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", caption_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column in ("codec", "by", "settings") else "right")
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def draw(bench: Bench, path: Path, *, log_rate: bool = True) -> None:
    """Write the curves of mean rate and mean quality as a PNG, one panel a metric.

    Args:
        bench: a comparison.
        path: the file, `.png`.
        log_rate: a logarithmic axis of the rate, on which low rates have room.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from sciml.compression.study.quality import METRICS
    from sciml.runtime.files import atomic_path

    shown = [metric for metric in METRICS if any(bench.points(codec, metric) for codec in bench.codecs)]
    figure = Figure(figsize=(1 + 5.6 * len(shown), 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, metric in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _panel(axes, bench, metric, log_rate)
    figure.suptitle(f"Rate and distortion, means over {len(bench.pictures)} pictures", x=0.01, ha="left", fontsize=12)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _panel(axes: Any, bench: Bench, metric: Metric, log_rate: bool) -> None:
    import numpy as np
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    from sciml.compression.study.curves import mean_curve, quality_at
    from sciml.compression.study.quality import PSNR
    from sciml.report.graphics.palette import COLOURS

    ends = []
    for number, codec in enumerate(bench.codecs):
        curve = mean_curve(bench.points(codec, metric), metric)
        if not curve.rates_bpp:
            continue
        colour, marker = COLOURS[number % len(COLOURS)], "osD^vPX*"[number % 8]
        rates = np.geomspace(curve.rates_bpp[0], curve.rates_bpp[-1], 200)
        axes.plot(rates, [quality_at(curve, float(rate)) for rate in rates], color=colour, linewidth=1.6)
        axes.plot(curve.rates_bpp, curve.decibels, marker, color=colour, markersize=4.5)
        ends.append((curve.decibels[-1], curve.rates_bpp[-1], codec, colour))
    if log_rate:
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        ticks = [tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if low <= tick <= high]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel("rate (bits a pixel)")
    axes.set_title("PSNR of RGB (dB)" if metric is PSNR else "MS-SSIM of RGB as -10 log10(1 - v) (dB)", loc="left", fontsize=10)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    _label(axes, ends)


def _label(axes: Any, ends: list[tuple[float, float, str, str]]) -> None:
    """Name the curves to the right of the panel, apart from each other, each with a thin line from its end."""
    low, high = axes.get_ylim()
    gap, ends = 0.055 * (high - low), sorted(ends)
    heights = [quality for quality, *_ in ends]
    for i in range(1, len(ends)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    ceiling = high
    for i in reversed(range(len(ends))):  # a stack that grew out of the panel is pushed back into it
        heights[i] = min(heights[i], ceiling)
        ceiling = heights[i] - gap
    for height, (quality, rate, codec, colour) in zip(heights, ends, strict=True):
        axes.annotate(
            codec,
            xy=(rate, quality),
            xytext=(1.04, height),
            textcoords=axes.get_yaxis_transform(),
            color=colour,
            va="center",
            fontsize=10,
            fontweight="bold",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "alpha": 0.6, "shrinkA": 2, "shrinkB": 3},
        )


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Yield what shows the progress as a bar on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    # drawn between two measurements only: a thread that draws would be counted with the codec
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as bar:
        task = bar.add_task("starting")
        yield lambda done, every, last: bar.update(task, completed=done, total=every, description=last, refresh=True)


def _by_note(pictures: Sequence[Picture]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for picture in pictures:
        for note in picture.notes:
            found.setdefault(note, []).append(picture.name)
    return found


def _warn(text: str) -> None:
    print(f"sciml: warning: {text}", file=sys.stderr, flush=True)
