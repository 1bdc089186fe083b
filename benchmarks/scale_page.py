"""The page docs/scale.md of what benchmarks/scale.py measured: laws with their errors, and what large runs need by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scale import CHAINS, MODES, PROGRAMS, QUALITY, SHAPES, Fit, fitted, voxels_of

PEOPLE, VISITS, SIDE, MILLION, PHOTO = 1000, 3, 2048, 1_000_000, 512
STEPS, SAVED = 4000, 50
# CPU minutes of the trainings that the model cards give, which do not grow with people: their steps are settings
TRAINING_HOURS = 36.775 / 60
CORES, DAYS = 16, 3.0
GIB = 2**30


def laws(record: dict[str, Any]) -> dict[str, tuple[Fit, Fit | None, list[list[Any]]]]:
    """Return of each program the law of its seconds, that of its memory where it grew, and its points."""
    found = {}
    for name, program in PROGRAMS.items():
        points = record["points"][name]
        sizes = [program.amount(size) for size, *_ in points]
        x = [size for size, (_, seconds, *_) in zip(sizes, points, strict=True) for _ in seconds]
        y = [one for _, seconds, *_ in points for one in seconds]
        held = [(size, mib) for size, (_, _, mib, _) in zip(sizes, points, strict=True) if mib > 1]
        grows = len(held) >= 3 and held[-1][1] > 1.3 * held[0][1]
        found[name] = fitted(x, y), fitted(*zip(*held, strict=True)) if grows else None, points
    return found


def number(value: float) -> str:
    """Return two digits, without an exponent."""
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.2g}"


def span(found: tuple[float, float, float], factor: float = 1.0) -> str:
    """Return a prediction and its interval."""
    middle, low, high = (value * factor for value in found)
    return f"{number(middle)} ({number(low)} to {number(high)})"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ["--"] * len(heads), *rows))


def law_rows(found: dict[str, tuple[Fit, Fit | None, list[list[Any]]]]) -> list[list[str]]:
    """Return a row a program: where it is the work, what grows, from where to where, the exponent, seconds at both ends."""
    rows = []
    for name, (time, memory, points) in found.items():
        program = PROGRAMS[name]
        ends = [program.amount(points[place][0]) for place in (0, -1)]
        seconds = [min(points[place][1]) for place in (0, -1)]
        grows = "" if not points[-1][2] else "no growth seen" if memory is None else f"{memory.b:.2f} ± {memory.half:.2f}"
        rows.append(
            [
                program.stage, program.one, program.size, f"{ends[0]:,} to {ends[1]:,}", f"{time.b:.2f} ± {time.half:.2f}",
                f"{number(seconds[0])} to {number(seconds[1])}", grows, number(points[-1][2]) if points[-1][2] else "",
            ]
        )  # fmt: skip
    return rows


def needs(found: dict[str, tuple[Fit, Fit | None, list[list[Any]]]]) -> list[list[str]]:
    """Return a row for each part of the large runs: CPU hours with their interval, memory of a process in GiB, disk in GiB."""

    def memory(name: str, amount: float) -> float:
        law, points = found[name][1], found[name][2]
        return (law.at(amount)[0] if law is not None else points[-1][2]) / 1024

    def row(run: str, part: str, name: str, amount: float, times: float, stored: float) -> list[str]:
        hours = span(found[name][0].at(amount), times / 3600)
        return [run, part, hours, number(memory(name, amount)), number(stored / GIB)]

    people, least, fine = found["cohort"][2], min(SHAPES), max(SHAPES)
    of_person = people[-1][3] / people[-1][0]
    points, pixels = SIDE**2, PHOTO**2
    # a complex number in single precision each time
    kept = SAVED * 8 * points
    coded = next(stored for side, _, _, stored in found["encode"][2] if side == PHOTO)
    return [
        row(f"{PEOPLE:,} subjects", f"simulate, {VISITS} visits at 4.5 mm", "cohort", PEOPLE, 1, of_person * PEOPLE),
        ["", "train the model once, as its card says", number(TRAINING_HOURS), number(memory("learn_autoencoder", least)), "0.1"],
        row("", "make each real scan of 1 mm ready", "prepare", voxels_of(1), PEOPLE, 0),
        row("", f"forecast each once, {CHAINS} chains, 4.5 mm", "forecast", least, PEOPLE, 2 * least * PEOPLE),
        row("", "the same at 2.8 mm", "forecast", fine, PEOPLE, 2 * fine * PEOPLE),
        row(f"{SIDE} x {SIDE} points", f"kinetic theory, {MODES} moments, {STEPS} steps", "kinetic", points, STEPS, MODES * kept),
        row("", f"coarse model, {STEPS} steps", "coarse", points, STEPS, kept),
        row(f"a million pictures of {PHOTO} x {PHOTO}", "deblur by total variation", "tv", pixels, MILLION, MILLION * pixels),
        row("", "denoise with a learned prior", "denoise", pixels, MILLION, MILLION * pixels),
        row("", f"code in colour at quality {QUALITY}", "encode", pixels, MILLION, MILLION * coded),
    ]  # fmt: skip


def advice(found: dict[str, tuple[Fit, Fit | None, list[list[Any]]]]) -> list[str]:
    """Return where one machine ends, in words that follow from the numbers."""
    parts = []
    for what, name, amount, times in (
        ("subjects simulated at 4.5 mm", "cohort", PEOPLE, 1),
        ("scans of 1 mm made ready", "prepare", voxels_of(1), PEOPLE),
        ("forecasts at 4.5 mm", "forecast", min(SHAPES), PEOPLE),
        ("forecasts at 2.8 mm", "forecast", max(SHAPES), PEOPLE),
        (f"pictures of {PHOTO} x {PHOTO} by total variation", "tv", PHOTO**2, MILLION),
        (f"pictures of {PHOTO} x {PHOTO} through the learned prior", "denoise", PHOTO**2, MILLION),
        (f"pictures of {PHOTO} x {PHOTO} coded", "encode", PHOTO**2, MILLION),
    ):
        count = PEOPLE if name == "cohort" else times
        hours = found[name][0].at(amount)[0] * times / 3600 / CORES
        beyond = f"{float(f'{count * 24 * DAYS / hours:.1g}'):,.0f}"
        parts.append(f"* {count:,} {what}: {number(hours)} hours on {CORES} cores; a cluster beyond about {beyond} of them.")
    for what, name in ((f"of the kinetic theory, {MODES} moments", "kinetic"), ("of the coarse model", "coarse")):
        law = found[name][0]
        hours = law.at(SIDE**2)[0] * STEPS / 3600
        side = ((DAYS * 86400 / STEPS) / law.at(1)[0]) ** (0.5 / law.b)
        parts.append(
            f"* {STEPS} steps {what} on {SIDE} x {SIDE} points: {number(hours)} hours of one core, which cannot be shared out; a "
            f"faster processor or a GPU beyond about {float(f'{side:.1g}'):,.0f} points a side."
        )
    return parts


def text(record: dict[str, Any]) -> str:
    """Return the page."""
    found = laws(record)
    heads = (
        "stage", "one", "grows with", "measured", "exponent of time", "seconds, least", "exponent of memory", "MiB, largest",
    )  # fmt: skip
    laws_text = (
        f"One thread of {record['machine']}; seconds of the processor. A law is seconds = c size^b, by least squares in "
        "logarithms over all repetitions, b with its 95 % interval. Memory is the growth of the process, of simulations what a "
        "step asks for and holds. An exponent below 1 says that fixed work still counts at the small sizes; one above 1 that "
        "data leave the cache, or the logarithm of a Fourier transform. Where the interval holds 0, the sizes did not decide the "
        "exponent. GPUs were not measured."
    )
    training_text = (
        "The steps of a training are a setting, so its time follows the batch, not the subjects or pictures that it draws from. "
        "Processes share out the rows of a step: see [training](training.md)."
    )
    needs_text = (
        "Computed from the laws: the number and, in brackets, the 95 % interval of a prediction where the law holds beyond what "
        "was measured; the farther, the less is that sure. CPU hours are of one core; independent jobs share them out. Memory "
        "is of one process, beside the program itself. Disk: a forecast is a volume in half precision, a simulation is saved "
        f"{SAVED} times with all its "
        "moments in single precision, a picture has 8 bits a pixel without compression, a coded one the bytes of the one that "
        "was measured."
    )
    ends_text = (
        "What falls into independent jobs, subjects and pictures, divides by cores; a simulation does not, since each step waits "
        f"for the one before. With {CORES} cores, and {DAYS:g} days as what one waits for:"
    )
    executors = (
        "* `profiles/default`: one machine, and everything above that stays on it.",
        "* `profiles/gpu`: trainings at the papers' sizes and priors on many pictures, one job a GPU.",
        "* `profiles/slurm`: many independent jobs, or more memory than the machine has; each job asks for its memory and",
        "  minutes. See [on a cluster](guides/cluster.md).",
        "* `torchrun`: one training that is too slow on one processor.",
    )
    parts = [
        "# What scale costs",
        "Written by `python benchmarks/scale.py page` from `benchmarks/scale.json`, which `python benchmarks/scale.py measure` "
        "writes; not to be edited. What whole tiers take is in [run times](guides/run-times.md).",
        "## How cost grows",
        laws_text,
        table(heads, law_rows(found)),
        training_text,
        "## What large runs need",
        needs_text,
        table(("run", "part", "CPU hours", "GiB of memory", "GiB of disk"), needs(found)),
        "## When to leave one machine",
        ends_text,
        "\n".join(advice(found)),
        "Which executor then:",
        "\n".join(executors),
    ]
    return "\n\n".join(parts) + "\n"
