"""How the cost of the stages grows, and what large runs need by it.

python benchmarks/scale.py measure [--only NAME...] [--repeat 2]   # writes benchmarks/scale.json: about 15 CPU minutes
python benchmarks/scale.py page                                    # writes docs/scale.md from it
python benchmarks/scale.py page --check                            # exits 1 where the page is not what it would write

* Each program runs in a process of its own on one thread, its sizes from small to large, each `--repeat` times after one run to
  warm up. Seconds are of the processor, which other programs on the machine change little; memory is the growth of the
  process's peak, and of a simulation what the compiled step asks for and holds.
* log(seconds) = a + b log(size) + error, by least squares over all repetitions; b and predictions with 95 % intervals of t. Small
  sizes, where the start of the program counts more than the work, are left out: see `SIZES`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

ROOT = Path(__file__).resolve().parents[1]
RECORD, PAGE = ROOT / "benchmarks" / "scale.json", ROOT / "docs" / "scale.md"
CHAINS, MODES, QUALITY = 8, 16, 50
# of what grows, in its unit
SIZES: dict[str, tuple[int, ...]] = {
    "tv": (128, 256, 512, 1024),
    "denoise": (128, 256, 512, 1024),
    "encode": (512, 1024, 2048),
    "learn_prior": (32, 64, 128),
    "processes": (1, 2),
    "learn_autoencoder": (40 * 48 * 40, 56 * 64 * 56, 64 * 80 * 64),
    "forecast": (40 * 48 * 40, 56 * 64 * 56, 64 * 80 * 64),
    "prepare": (3, 2, 1),
    "cohort": (8, 16, 32),
    "kinetic": (64, 128, 256, 512),
    "coarse": (128, 256, 512, 1024),
}
# of Colin27 at 1 mm
HEAD = (181, 217, 181)
SHAPES = {math.prod(shape): shape for shape in ((40, 48, 40), (56, 64, 56), (64, 80, 64))}


@dataclass(frozen=True)
class Program:
    """One thing whose cost is measured.

    Attributes:
        stage: where it is the work, in words.
        size: what it grows with.
        amount: from the size given to that number, such as pixels from a side.
        one: what is timed.
    """

    stage: str
    size: str
    amount: Callable[[int], int]
    one: str


def square(side: int) -> int:
    """Return the number of points of a square."""
    return side * side


def voxels_of(factor: int) -> int:
    """Return the number of voxels of the head where so many along each edge became one."""
    return math.prod(size // factor for size in HEAD)


PROGRAMS = {
    "tv": Program("`imaging solve`, `deblurring restore`", "pixels", square, "a picture, total variation with a blur"),
    "denoise": Program("`proximal restore`", "pixels", square, "a picture, `photo-grey-explicit`"),
    "encode": Program("`compression encode`", "pixels", square, f"a colour picture, `photo` at quality {QUALITY}"),
    "learn_prior": Program("`proximal train`", "pixels of a batch", lambda side: 4 * side**2, "a step of `photo-grey`"),
    "processes": Program("`torchrun ... proximal train`", "processes", int, "a step of 16 crops of 64 x 64, by the clock"),
    "learn_autoencoder": Program("`progression train_autoencoder`", "voxels", int, "a step of two volumes"),
    "forecast": Program("`progression predict`", "voxels", int, f"a forecast, {CHAINS} chains of 20 steps"),
    "prepare": Program("`progression forecast` of a scan", "voxels", voxels_of, "a head registered, its brain and regions found"),
    "cohort": Program("`progression simulate_cohorts`", "subjects", int, "these subjects beside two, 3 visits at 4.5 mm"),
    "kinetic": Program("`active_fluid generate`", "grid points", square, f"a step of the kinetic theory, {MODES} moments"),
    "coarse": Program("`active_fluid evaluate`", "grid points", square, "a step of the coarse model, Bingham's closure"),
}


class Point(NamedTuple):
    """What one size took: processor seconds of each repetition, MiB, and bytes on the disk of its result."""

    seconds: list[float]
    mib: float
    stored: int


def peak() -> float:
    """Return the largest memory of this process until now, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def repeated(work: Callable[[], int], repeat: int, before: float) -> Point:
    """Return the point of some work that returns the bytes of its result; `before` is the peak before any."""
    work()
    seconds, stored = [], 0
    for _ in range(repeat):
        begin = time.process_time()
        stored = work()
        seconds.append(time.process_time() - begin)
    return Point(seconds, peak() - before, stored)


def pictures(name: str, repeat: int) -> Iterator[Point]:
    """Yield the points of the programs on pictures."""
    import torch

    from sciml.compression import Codec
    from sciml.datasets import load
    from sciml.imaging import task, tv
    from sciml.proximal import LearnedProximalNetwork

    photo = load("astronaut").array if name == "encode" else load("camera").array
    photo = np.tile(photo, (4, 4, 1) if photo.ndim == 3 else (2, 2))
    codec = Codec.load("photo") if name == "encode" else None
    network = LearnedProximalNetwork.load("photo-grey-explicit") if name == "denoise" else None
    before = peak()
    for side in SIZES[name]:
        part = photo[:side, :side]

        def work(part: np.ndarray = part, side: int = side) -> int:
            if codec is not None:
                return len(codec.encode(part, quality=QUALITY))
            x = torch.from_numpy(np.ascontiguousarray(part)).float()[None, None]
            if network is not None:
                return network(x, 0.1).numel()
            blur = task("deblur", size=(side, side))
            margin = (blur.canvas[0] - side) // 2
            canvas = torch.nn.functional.pad(x, (margin,) * 4, mode="replicate")
            tv(blur.measure(canvas, torch.Generator().manual_seed(0)), blur.physics)
            return side**2

        yield repeated(work, repeat, before)


def learning(name: str, repeat: int) -> Iterator[Point]:
    """Yield the points of a training step; the optimiser's part is small beside it, and left out."""
    import torch

    from sciml.progression.networks.adversary import AdversarialPair, autoencoder_step
    from sciml.progression.networks.model_files import load_model
    from sciml.proximal import LearnedProximalNetwork
    from sciml.proximal.learning.objectives import denoising_through_the_solver
    from sciml.proximal.settings.structures import SolverSchedule
    from sciml.training import step

    step.has_bfloat16_units = lambda: False
    before = peak()
    for size in SIZES[name]:
        generator = torch.Generator().manual_seed(0)
        if name == "learn_prior":
            network: torch.nn.Module = LearnedProximalNetwork.load("photo-grey").train()
            loss = denoising_through_the_solver((0.01, 0.3), SolverSchedule())
            batch: Any = {"images": torch.rand(4, 1, size, size, generator=generator), "done": 0.5}
        else:
            network, loss = AdversarialPair(load_model("mni-4p5mm").autoencoder.config), autoencoder_step
            batch = torch.rand(2, 1, *SHAPES[size], generator=generator)

        def work(network: Any = network, loss: Any = loss, batch: Any = batch, generator: Any = generator) -> int:
            network.zero_grad()
            loss(network, batch, generator)[0].backward()
            return 0

        yield repeated(work, repeat, before)


def processes(name: str, repeat: int) -> Iterator[Point]:
    """Yield the points of a training step by several processes, a core each: seconds of the clock, its start left out."""
    from sciml.proximal.settings.models import TrainConfig, default_models

    few, many = 5, 25
    how = {
        **default_models()["photo-grey"].model_dump(),
        "crop_size": 64,
        "batch_size": 16,
        "validations": 1,
        "validation_crops": 1,
    }

    def clock(count: int, steps: int) -> float:
        config = TrainConfig(**{**how, "steps": steps, "cpu_minutes": 60.0}, name="prior", data_tier="ci", seed=0)
        start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
        with tempfile.TemporaryDirectory() as folder:
            words = ["stage", "proximal", "train", "--config", config.model_dump_json(), "--output", folder]
            begin = time.perf_counter()
            subprocess.run([sys.executable, *start, "-m", "sciml", *words], check=True, stdout=sys.stderr)
            return time.perf_counter() - begin

    for count in SIZES[name]:
        yield Point([(clock(count, many) - clock(count, few)) / (many - few) for _ in range(repeat)], 0.0, 0)


def forecast(name: str, repeat: int) -> Iterator[Point]:
    """Yield the points of the forecast of one follow-up."""
    import torch

    from sciml.progression.forecasting.prediction import Question, decode, followup_latents
    from sciml.progression.networks.model_files import load_model
    from sciml.progression.settings.models import ForecastConfig

    model, before = load_model("mni-4p5mm"), peak()
    width = model.denoiser.unet.get_parameter("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight").shape[1]
    for size in SIZES[name]:
        volume = torch.rand(1, 1, *SHAPES[size], generator=torch.Generator().manual_seed(0))

        def work(volume: torch.Tensor = volume) -> int:
            with torch.no_grad():
                start = model.autoencoder.latent(volume)
                question = Question(start, torch.tensor([0.7]), torch.zeros(1, width), [0])
                chains = followup_latents(model.denoiser, question, 1.0, ForecastConfig(samples=CHAINS))
                # as a volume of float16 is kept
                return 2 * decode(model.autoencoder, chains.mean, volume, start, "residual").numel()

        yield repeated(work, repeat, before)


def prepare(name: str, repeat: int) -> Iterator[Point]:
    """Yield the points of a head that is made ready for a forecast, with larger voxels first."""
    import nibabel

    from sciml.datasets import local_path
    from sciml.progression import prepare_scan
    from sciml.studies.scan_to_forecast.chain.cases import reduced

    head = nibabel.as_closest_canonical(nibabel.load(local_path("mr_colin27_t1")))
    whole, before = np.asarray(head.dataobj, np.float32), peak()
    for factor in SIZES[name]:
        volume, affine = reduced(whole, np.asarray(head.affine), factor)

        def work(volume: np.ndarray = volume, affine: np.ndarray = affine) -> int:
            with tempfile.TemporaryDirectory() as folder:
                scan = Path(folder) / "scan.nii"
                nibabel.save(nibabel.Nifti1Image(volume, affine), scan)
                prepare_scan(scan)
            return 0

        yield repeated(work, repeat, before)


def cohort(name: str, repeat: int) -> Iterator[Point]:
    """Yield the points of simulated cohorts beside one of two people; the time of child processes counts."""
    from sciml.runtime.places import cache_folder

    def simulated(people: int, seed: int) -> tuple[float, float, int]:
        with tempfile.TemporaryDirectory() as folder:
            # a cache without earlier cohorts
            Path(folder, "data").symlink_to(cache_folder("data"))
            words = ["progression", "simulate", "--grid", "4.5mm", "--train", people // 2, "--validation", 1, "--visits", 3]
            words += ["--test", people - people // 2 - 1, "--seed", seed, "--jobs", 1, "--out", f"{folder}/cohort"]
            begin = resource.getrusage(resource.RUSAGE_CHILDREN)
            program = [sys.executable, "-c", "from sciml.cli import main; main()", *map(str, words)]
            subprocess.run(program, check=True, stdout=sys.stderr, cwd=folder, env={**os.environ, "SCIML_CACHE": folder})
            end = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime
            stored = sum(path.stat().st_size for path in Path(folder, "cohort").rglob("*") if path.is_file())
            return seconds, end.ru_maxrss / 1024, stored

    # of the template and the start, which do not grow
    start, _, least = simulated(2, 0)
    for people in SIZES[name]:
        found = [simulated(people + 2, seed) for seed in range(repeat)]
        yield Point([one[0] - start for one in found], max(one[1] for one in found), found[-1][2] - least)


def fluid(name: str, repeat: int) -> Iterator[Point]:
    """Yield the points of a step of a simulation; stored is what its state holds, all moments in single precision."""
    import jax
    from active_fluid import prepared, stepped

    from sciml.active_fluid.closures.closure import BinghamClosure

    jax.config.update("jax_enable_x64", True)
    closure, modes = (None, MODES) if name == "kinetic" else (BinghamClosure(), 1)
    for side in SIZES[name]:
        rows = [stepped(name, side, closure, modes, 1) for _ in range(repeat)]
        held = sum(part.nbytes for part in jax.tree.leaves(prepared(side, closure, modes)[1]))
        yield Point([row.cpu_ms / 1e3 for row in rows], (rows[0].memory_mib or 0.0) + held / 2**20, 8 * modes * side**2)


MEASURES: dict[str, Callable[[str, int], Iterator[Point]]] = {
    **dict.fromkeys(("tv", "denoise", "encode"), pictures),
    **dict.fromkeys(("learn_prior", "learn_autoencoder"), learning),
    "processes": processes,
    "forecast": forecast,
    "prepare": prepare,
    "cohort": cohort,
    **dict.fromkeys(("kinetic", "coarse"), fluid),
}


def measure(names: Sequence[str], repeat: int) -> None:
    """Measure programs, each in a process of its own, and write them into the record beside what it holds of others."""
    record = json.loads(RECORD.read_text()) if RECORD.is_file() else {"points": {}}
    for name in names:
        program = [sys.executable, __file__, "one", name, "--repeat", str(repeat)]
        alone = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True, env=alone)
        record["points"][name] = json.loads(done.stdout.splitlines()[-1])
        from sciml.runtime.provenance import hardware

        record["machine"] = hardware()["processor"]
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
        print(name, record["points"][name], file=sys.stderr, flush=True)


class Fit(NamedTuple):
    """log y = a + b log x with its least squares, for intervals.

    Attributes:
        a, b: of the law.
        half: half of the 95 % interval of b.
        spread: standard deviation of log y around the law.
        quantile: of t at 97.5 %.
        count, middle, squares: number, mean and sum of squared deviations of log x.
    """

    a: float
    b: float
    half: float
    spread: float
    quantile: float
    count: int
    middle: float
    squares: float

    def at(self, x: float) -> tuple[float, float, float]:
        """Return y at x, and the ends of its 95 % interval of prediction."""
        log = math.log(x)
        error = self.quantile * self.spread * math.sqrt(1 + 1 / self.count + (log - self.middle) ** 2 / self.squares)
        found = self.a + self.b * log
        return math.exp(found), math.exp(found - error), math.exp(found + error)


def fitted(x: Sequence[float], y: Sequence[float]) -> Fit:
    """Return the power law of least squares in logarithms; at least three points of two sizes."""
    u, v = np.log(x), np.log(y)
    middle, squares = float(u.mean()), float(((u - u.mean()) ** 2).sum())
    b = float(((u - middle) * v).sum() / squares)
    a = float(v.mean() - b * middle)
    free = len(u) - 2
    spread = math.sqrt(float(((v - a - b * u) ** 2).sum()) / free)
    quantile = float(stats.t.ppf(0.975, free))
    return Fit(a, b, quantile * spread / math.sqrt(squares), spread, quantile, len(u), middle, squares)


def main() -> None:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("measure", "one", "page"))
    parser.add_argument("name", nargs="?", choices=tuple(PROGRAMS), help="of `one`, which prints the points of a program")
    parser.add_argument("--only", nargs="+", choices=tuple(PROGRAMS), default=tuple(PROGRAMS), help="programs to measure")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page would change")
    options = parser.parse_args()
    if options.what == "one":
        print(json.dumps([[size, *point] for size, point in zip(
            SIZES[options.name], MEASURES[options.name](options.name, options.repeat), strict=True)]))  # fmt: skip
    elif options.what == "measure":
        measure(options.only, options.repeat)
    else:
        from scale_page import text

        found = text(json.loads(RECORD.read_text()))
        if options.check:
            sys.exit(PAGE.read_text() != found and f"{PAGE} is stale: python benchmarks/scale.py page")
        PAGE.write_text(found)


if __name__ == "__main__":
    main()
