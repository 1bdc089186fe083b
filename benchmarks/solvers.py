"""Time this package's operators and solvers against deepinv's and scikit-image's on the same real pictures, side by side.

python benchmarks/solvers.py [--repeat 3] [--size 256] [--threads 1] [--only denoise operators deblur] [--markdown]
"""

from __future__ import annotations

import argparse
import ctypes
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import deepinv
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from skimage.restoration import denoise_tv_chambolle
from skimage.transform import iradon, radon

from sciml.imaging.metrics import psnr
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.tomography import ParallelBeam
from sciml.imaging.priors import TotalVariation
from sciml.imaging.solvers.classical import richardson_lucy, tv, wiener
from sciml.imaging.solvers.tuning import METHODS, mean_psnr, solve, tune
from sciml.imaging.tasks.cases import cases
from sciml.imaging.tasks.task import task

PHOTOS = ("camera", "kodim23", "monarch")
SIGMA_TV_WEIGHT = 0.075
VIEWS = 60


@dataclass(frozen=True)
class Row:
    """One timed program; times are per picture, the least of the repetitions."""

    problem: str
    program: str
    cpu_seconds: float
    wall_seconds: float
    peak_mib: float | None
    note: str = ""
    reference: bool = False


def timed(problem: str, program: str, run: Callable[[], Any], repeat: int, pictures: int = 1, note: str = "") -> tuple[Row, Any]:
    """Run a program once for its peak memory and result, then `repeat` times for its least CPU and wall time."""
    start = _reset_peak()
    result = run()
    peak = _status("VmHWM")
    growth = None if start is None or peak is None else max(0.0, peak - start)
    times = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu, wall = (min(column) / pictures for column in zip(*times, strict=True))
    return Row(problem, program, cpu, wall, growth, note), result


def _reset_peak() -> float | None:
    """Hand free memory back, reset the kernel's record of the peak (Linux with glibc), return the memory in use, in MiB."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError):
        return None
    return _status("VmRSS")


def _status(key: str) -> float | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(key)), None)


def photographs(role: str, count: int, size: tuple[int, int], names: tuple[str, ...] | None = None) -> torch.Tensor:
    """Return real photographs as a batch."""
    found = [case for case in cases("imaging-photos", role, count, size, "ci") if names is None or case.name in names]
    return torch.from_numpy(np.stack([case.array for case in found]))[:, None]


def denoise(size: int, repeat: int) -> Iterator[Row]:
    """Total variation denoising: scikit-image's iteration is run until its objective is as near the least as ours."""
    built = task("denoise", (size, size), sigma=0.1)
    truth = photographs("test", 9, (size, size), PHOTOS)
    y = built.measure(truth, torch.Generator().manual_seed(0))
    prior, weight = TotalVariation(), SIGMA_TV_WEIGHT

    def excess(x: torch.Tensor) -> float:
        cost = 0.5 * (x - y).square().sum((1, 2, 3)) + weight * prior.value(x)
        return float((cost / least - 1).max())

    best = TotalVariation(5000, 1e-10).prox(y.double(), weight)
    least = 0.5 * (best - y).square().sum((1, 2, 3)) + weight * prior.value(best)

    def theirs(iterations: int, eps: float) -> torch.Tensor:
        arrays = [denoise_tv_chambolle(picture[0], weight, eps=eps, max_num_iter=iterations) for picture in y.numpy()]
        return torch.from_numpy(np.stack(arrays))[:, None]

    def note(x: torch.Tensor) -> str:
        return f"{mean_psnr(built, x, truth):.2f} dB, cost {100 * excess(x):.3f} % above the least"

    problem = f"TV denoising, {size} x {size}, sigma 0.1"
    row, ours = timed(problem, "sciml TotalVariation.prox", lambda: tv(y, built.physics, weight), repeat, len(y))
    yield replace(row, note=note(ours), reference=True)
    row, default = timed(problem, "scikit-image, default stop", lambda: theirs(200, 2e-4), repeat, len(y))
    yield replace(row, note=note(default))

    def short(iterations: int) -> torch.Tensor:
        return TotalVariation(iterations, 0.0).prox(y, weight)

    goal = excess(default)
    steps = next((n for n in range(4, 200, 2) if excess(short(n)) <= goal), 200)
    row, equal = timed(problem, f"sciml, {steps} steps", lambda: short(steps), repeat, len(y))
    yield replace(row, note=note(equal))
    goal = excess(ours)
    many = next((n for n in (50, 100, 200, 400, 600, 800, 1000, 1200, 1600, 3200) if excess(theirs(n, 0)) <= goal), 6400)
    row, equal = timed(problem, f"scikit-image, {many} steps", lambda: theirs(many, 0), repeat, len(y))
    yield replace(row, note=note(equal))


def operators(size: int, repeat: int) -> Iterator[Row]:
    """A and its adjoint: blur with a 19 x 19 kernel, parallel-beam tomography with 60 views, filtered back-projection."""
    blur = task("deblur", (size, size)).physics
    assert isinstance(blur, ValidBlur)
    x = photographs("test", 1, blur.canvas)
    direct = deepinv.physics.Blur(filter=blur.kernel[None, None], padding="valid")
    y = blur.A(x)
    problem = f"blur 19 x 19, {size} x {size}, A and adjoint"
    row, ours = timed(problem, "sciml ValidBlur", lambda: blur.A_adjoint(blur.A(x)), repeat)
    yield replace(row, reference=True)
    row, theirs = timed(problem, "deepinv Blur(valid)", lambda: direct.A_adjoint(direct.A(x)), repeat)
    yield replace(row, note=f"differs by {_gap(theirs, ours):.0e}")

    x = photographs("test", 1, (size, size))
    picture = x[0, 0].numpy()
    angles = np.linspace(0, 180, VIEWS, endpoint=False)
    beam = ParallelBeam((size, size), tuple(angles))
    torch_beam = deepinv.physics.Tomography(angles.tolist(), size, circle=False, normalize=False)
    y, sinogram = beam.A(x), radon(picture, angles, circle=False)
    y_theirs = torch_beam.A(x)
    programs: dict[str, tuple[Callable[[], Any], Callable[[], Any], Callable[[], Any]]] = {
        "A": (lambda: beam.A(x), lambda: torch_beam.A(x), lambda: radon(picture, angles, circle=False)),
        "adjoint": (
            lambda: beam.A_adjoint(y),
            lambda: torch_beam.A_adjoint(y_theirs),
            lambda: iradon(sinogram, angles, filter_name=None, circle=False, output_size=size),  # pyright: ignore[reportArgumentType]
        ),
        "FBP": (
            lambda: beam.fbp(y),
            lambda: torch_beam.fbp(y_theirs),
            lambda: iradon(sinogram, angles, circle=False, output_size=size),
        ),
    }
    for name, three in programs.items():
        problem = f"tomography, {size} x {size}, {VIEWS} views, {name}"
        labels = ("sciml ParallelBeam", "deepinv Tomography", "scikit-image radon" if name == "A" else "scikit-image iradon")
        for label, run in zip(labels, three, strict=True):
            row, result = timed(problem, label, run, repeat)
            image = np.asarray(result).squeeze()
            note = f"{psnr(image.clip(0, 1), picture.astype(image.dtype), 1):.2f} dB" if name == "FBP" else ""
            yield replace(row, note=note, reference=label == labels[0])


def deblur(size: int, repeat: int) -> Iterator[Row]:
    """Deblurring at sigma 0.02: parameters are tuned on two validation photographs, scores are of test photographs."""
    built = task("deblur", (size, size), sigma=0.02)
    validation, truth = photographs("validation", 2, built.canvas), photographs("test", 9, built.canvas, PHOTOS)
    y_validation, y = (built.measure(x, torch.Generator().manual_seed(seed)) for seed, x in enumerate((validation, truth)))
    labels = {"tv": "sciml tv", "richardson-lucy": "scikit-image richardson_lucy", "wiener": "scikit-image wiener"}
    plain = {"richardson-lucy": richardson_lucy, "wiener": wiener}
    for name, label in labels.items():
        value = tune(METHODS[name], built, y_validation, validation).value
        run_method = plain.get(name, partial(solve, METHODS[name]))

        def run(run_method: Callable[..., Any] = run_method, value: float = value) -> Any:
            return run_method(y, built.physics, value)

        row, result = timed(f"deblurring, {size} x {size}, sigma 0.02", label, run, repeat, len(y))
        score = mean_psnr(built, result, truth)
        yield replace(row, note=f"{score:.2f} dB, {METHODS[name].parameter} {value:.3g}", reference=name == "tv")


def _gap(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


PARTS: dict[str, Callable[[int, int], Iterator[Row]]] = {"denoise": denoise, "operators": operators, "deblur": deblur}
HEADER = ("problem", "program", "CPU s", "wall s", "CPU / ours", "peak MiB", "result")


def cells(row: Row, ours: Row) -> tuple[str, ...]:
    """Return a row's texts; the ratio is to our program on the same problem."""
    ratio = "1" if row.reference else f"{row.cpu_seconds / max(ours.cpu_seconds, 1e-9):.3g}"
    peak = "" if row.peak_mib is None else f"{row.peak_mib:.0f}"
    return (row.problem, row.program, f"{row.cpu_seconds:.3g}", f"{row.wall_seconds:.3g}", ratio, peak, row.note)


def main() -> None:
    """Run the chosen parts and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="timed repetitions; the least time counts")
    parser.add_argument("--size", type=int, default=256, help="height and width of the pictures")
    parser.add_argument("--threads", type=int, default=1, help="computing threads")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows: list[tuple[str, ...]] = []
    with torch.no_grad():
        for name in arguments.only:
            found = list(PARTS[name](arguments.size, max(1, arguments.repeat)))
            reference = {row.problem: row for row in found if row.reference}
            rows += [cells(row, reference[row.problem]) for row in found]
    versions = f"torch {torch.__version__}, scikit-image {version('scikit-image')}, deepinv {version('deepinv')}"
    title = f"{os.cpu_count()} cores, {platform.machine()}, {arguments.threads} thread(s); {versions}"
    if arguments.markdown:
        print(
            title,
            "",
            f"| {' | '.join(HEADER)} |",
            f"|{'--|' * len(HEADER)}",
            *(f"| {' | '.join(row)} |" for row in rows),
            sep="\n",
        )
        return
    table = Table(title=title)
    for index, name in enumerate(HEADER):
        table.add_column(name, justify="right" if 2 <= index <= 5 else "left")
    previous = ""
    for row in rows:
        if previous and row[0] != previous:
            table.add_section()
        table.add_row(row[0] if row[0] != previous else "", *row[1:])
        previous = row[0]
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
