"""Time forecasts against chains and steps, chains together against one by one, the simulator by grid, and the published network.

python benchmarks/progression.py [--repeat 3] [--grids 4.5mm 3mm] [--published] [--markdown]

* Forecasts: one person, one age, the default networks at 4.5 mm with random weights; processor and elapsed seconds, least of the
  repetitions after one to warm up.
* Chains: eight chains in one batch, and one after the other.
* Simulator: processor seconds a year of a person's life between visits, without the anatomy, which is built once a cohort.
* Courses: the fit of the logistic model to 80 people.
* Published: the published networks at 1.5 mm with random weights: a training step of the autoencoder against its discriminator
  and one of the diffusion model, with a batch of one, and a forecast by one chain of five steps. Each in a process of its own:
  seconds and peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.table import Table

CHILD = "SCIML_BENCHMARK_PUBLISHED"
Row = tuple[str, ...]


def timed(run: Callable[[], Any], repeat: int) -> tuple[float, float]:
    """Return the least processor and elapsed seconds of some runs, after one to warm up."""
    run()
    found = []
    for _ in range(repeat):
        cpu, wall = time.process_time(), time.perf_counter()
        run()
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(found)


def random_forecaster(published: bool = False) -> Any:
    """Return a forecaster of random weights: their values do not change the times."""
    import torch

    from sciml.progression.cohorts.covariates import CovariateScale
    from sciml.progression.cohorts.grids import GRIDS
    from sciml.progression.cohorts.regions import REGIONS
    from sciml.progression.courses.fit import fit_courses
    from sciml.progression.forecasting.forecast import Forecaster
    from sciml.progression.networks.autoencoder import Autoencoder
    from sciml.progression.networks.denoiser import Denoiser
    from sciml.progression.networks.model_files import ForecastModel
    from sciml.progression.settings.models import ForecastConfig
    from sciml.progression.settings.networks import FORMS, PUBLISHED_AUTOENCODER, PUBLISHED_UNET, AutoencoderConfig, UNetConfig

    torch.manual_seed(0)
    autoencoder = Autoencoder(PUBLISHED_AUTOENCODER if published else AutoencoderConfig()).eval()
    autoencoder.latent_sd.fill_(1.0)
    autoencoder.change_sd.fill_(0.1)
    form = FORMS["official" if published else "residual"]
    denoiser = Denoiser(form, PUBLISHED_UNET if published else UNetConfig()).eval()
    middle = np.array([30.0, 9.0, 3.0, 16.0, 1000.0, 600.0, 200.0])[: len(REGIONS)]
    scale = CovariateScale.measured(np.stack([0.5 * middle, 1.5 * middle]))
    courses = fit_courses(people(6), ("linear_population",))
    grid = GRIDS["1.5mm" if published else "4.5mm"]
    model = ForecastModel("random", grid, autoencoder, denoiser, scale, courses)
    return Forecaster(model, ForecastConfig(course="linear_population", decoding="direct" if published else "residual"))


def people(count: int) -> list[Any]:
    """Return people of four visits whose logarithms of volumes change at constant rates."""
    from sciml.progression.cohorts.regions import DIAGNOSES
    from sciml.progression.courses.course import Course

    random = np.random.default_rng(0)
    middle, rates = np.array([30.0, 9.0, 3.0, 16.0, 1000.0, 600.0, 200.0]), np.array([5, -2.5, -2, -0.9, -0.9, -0.7, 1]) / 100
    found = []
    for number in range(count):
        ages = random.uniform(60, 80) + 1.5 * np.arange(4)
        pace = np.exp(0.25 * random.normal())
        volumes = middle * np.exp(0.15 * random.normal(size=7) + pace * np.outer(ages - 60, rates))
        found.append(Course(ages, volumes, number % 2, DIAGNOSES[number % 3]))
    return found


def question(forecaster: Any) -> tuple[list[Any], list[float]]:
    """Return a visit with an image of noise, and an age."""
    from sciml.progression.cohorts.cohort import Visit
    from sciml.progression.forecasting.forecast import ImagedVisit

    volumes = tuple(people(1)[0].volumes[0].tolist())
    image = np.random.default_rng(0).random(forecaster.model.grid.shape, dtype=np.float32)
    return [ImagedVisit(Visit("x", 0, "test", 70.0, "F", "MCI", volumes), image)], [74.0]


def forecasts(repeat: int) -> list[Row]:
    """Return seconds of a forecast by chains and steps."""
    forecaster, rows = random_forecaster(), []
    asked, ages = question(forecaster)
    for samples, steps in ((1, 20), (4, 20), (8, 20), (16, 20), (8, 5), (8, 10), (8, 50)):
        config = forecaster.config.model_copy(update={"steps": steps})
        timer = type(forecaster)(forecaster.model, config)
        cpu, wall = timed(lambda t=timer, m=samples: t.forecast(asked, ages, samples=m), repeat)
        rows.append((str(samples), str(steps), f"{cpu:.2f}", f"{wall:.2f}", f"{1000 * cpu / samples / steps:.1f}"))
    return rows


def chains(repeat: int) -> list[Row]:
    """Return seconds of eight chains in one batch and one by one."""
    import torch

    from sciml.progression.cohorts.covariates import context_width
    from sciml.progression.forecasting.diffusion import CHAINS_AT_ONCE
    from sciml.progression.forecasting.prediction import Question, followup_latents

    forecaster, rows = random_forecaster(), []
    denoiser = forecaster.model.denoiser
    start = torch.zeros(1, 3, 10, 12, 10)
    asked = Question(start, torch.tensor([0.7]), torch.zeros(1, context_width(denoiser.form)), [0])
    for name, together in (("one batch", 8), ("one by one", 1)):
        with patch.dict(CHAINS_AT_ONCE, cpu=together):
            cpu, wall = timed(lambda: followup_latents(denoiser, asked, 0.1, forecaster.config), repeat)
        rows.append((name, f"{cpu:.2f}", f"{wall:.2f}"))
    return rows


def simulator(grids: Sequence[str]) -> list[Row]:
    """Return seconds of a simulated year by grid."""
    from sciml.progression.cohorts.grids import grid_of
    from sciml.progression.config import SimulationConfig
    from sciml.progression.simulation.anatomy import build_anatomy, mni_template
    from sciml.progression.simulation.simulator import simulate
    from sciml.progression.simulation.subjects import TEMPLATE_AGE_YEARS, draw_subject, subject_list
    from sciml.runtime.seeds import Seeds

    template, rows = mni_template(), []
    for name in grids:
        config, seeds = SimulationConfig(grid=name, subjects={"test": 3}), Seeds(0)  # type: ignore[arg-type]
        anatomy = build_anatomy(template, grid_of(name))
        drawn = [draw_subject(config, *person, seeds) for person in subject_list(config)]
        begin, years = time.process_time(), 0.0
        for person in drawn:
            simulate(person, anatomy, config, seeds)
            # from the template's age on: the years before the first visit are simulated too
            years += person.ages_years[-1] - TEMPLATE_AGE_YEARS
        spent = time.process_time() - begin
        rows.append((name, f"{years:.0f}", f"{spent / years:.2f}", f"{spent / len(drawn):.1f}"))
    return rows


def courses(repeat: int) -> list[Row]:
    """Return seconds of the fit of every course model to 80 people."""
    from sciml.progression.courses.fit import KINDS, fit_courses

    group = people(80)
    return [(kind, f"{timed(lambda k=kind: fit_courses(group, [k]), repeat)[0]:.2f}") for kind in KINDS]


def peak_mib() -> float:
    """Return the largest resident size so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def published() -> list[Row]:
    """Return seconds and memory of what the published networks do once, each in a process of its own."""
    rows = []
    for name in PUBLISHED:
        run = subprocess.run(
            [sys.executable, __file__], env=os.environ | {CHILD: name}, stdout=subprocess.PIPE, text=True, check=True
        )
        found = json.loads(run.stdout.splitlines()[-1])
        rows.append((name, f"{found['cpu']:.0f}", f"{found['wall']:.0f}", f"{found['peak_mib'] / 1024:.1f}"))
    return rows


def published_once(name: str) -> dict[str, float]:
    """Return the numbers of one of `PUBLISHED`, in this process."""
    run = PUBLISHED[name]()
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "peak_mib": peak_mib()}


def published_forecast() -> Callable[[], Any]:
    """Return a forecast by one chain of five steps."""
    forecaster = random_forecaster(published=True)
    asked, ages = question(forecaster)
    timer = type(forecaster)(forecaster.model, forecaster.config.model_copy(update={"steps": 5}))
    return lambda: timer.forecast(asked, ages, samples=1)


def autoencoder_training() -> Callable[[], Any]:
    """Return a step of the autoencoder and its discriminator on one image, in bfloat16 as trained on a processor."""
    import torch

    from sciml.progression.cohorts.grids import GRIDS
    from sciml.progression.networks.adversary import AdversarialPair, autoencoder_step
    from sciml.progression.settings.networks import PUBLISHED_AUTOENCODER

    pair = AdversarialPair(PUBLISHED_AUTOENCODER)
    images = torch.rand(1, 1, *GRIDS["1.5mm"].shape, generator=torch.Generator().manual_seed(0))
    return lambda: optimised(pair, lambda model: autoencoder_step(model, images, torch.Generator().manual_seed(1))[0])


def diffusion_training() -> Callable[[], Any]:
    """Return a step of the published UNet on the latent of one image."""
    import torch

    from sciml.progression.cohorts.covariates import context_width
    from sciml.progression.forecasting.diffusion import noise_levels
    from sciml.progression.forecasting.training_pairs import DenoisingStep
    from sciml.progression.networks.denoiser import Denoiser
    from sciml.progression.settings.networks import FORMS, PUBLISHED_UNET

    form = FORMS["official"]
    denoiser, latent = Denoiser(form, PUBLISHED_UNET, with_control=False), torch.randn(1, 3, 15, 18, 15)
    batch = {
        "start": latent,
        "followup": latent,
        "start_age": torch.tensor([0.7]),
        "context": torch.zeros(1, context_width(form)),
    }
    step = DenoisingStep(noise_levels(form.prediction), 0.1)
    return lambda: optimised(denoiser, lambda model: step(model, batch, torch.Generator().manual_seed(1))[0])


def optimised(model: Any, loss: Callable[[Any], Any]) -> None:
    """Take a step of AdamW down a loss of a model."""
    import torch

    optimiser = torch.optim.AdamW(model.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(model)
    found.backward()
    optimiser.step()


PUBLISHED = {
    "autoencoder: a training step": autoencoder_training,
    "diffusion: a training step": diffusion_training,
    "forecast: a chain of five steps": published_forecast,
}


def show(title: str, columns: Sequence[str], rows: Sequence[Row], markdown: bool) -> None:
    """Print a table."""
    if markdown:
        print(f"| {' | '.join(columns)} |\n|{'--|' * len(columns)}")
        print("\n".join(f"| {' | '.join(row)} |" for row in rows), end="\n\n")
        return
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--grids", nargs="*", default=["4.5mm", "3mm"])
    parser.add_argument("--published", action="store_true", help="the published networks at 1.5 mm alone: minutes, gigabytes")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    if os.environ.get(CHILD):
        print(json.dumps(published_once(os.environ[CHILD])))
        return
    if options.published:
        columns = ("published networks, 1.5 mm", "CPU s", "elapsed s", "peak GiB")
        show("one thread where OMP_NUM_THREADS=1", columns, published(), options.markdown)
        return
    columns = ("chains", "steps", "CPU s", "elapsed s", "CPU ms a chain and step")
    show("forecast, 4.5 mm", columns, forecasts(options.repeat), options.markdown)
    show("eight chains, 20 steps", ("how", "CPU s", "elapsed s"), chains(options.repeat), options.markdown)
    show("courses, 80 people", ("model", "CPU s"), courses(options.repeat), options.markdown)
    if options.grids:
        columns = ("grid", "years", "CPU s a year", "CPU s a person")
        show("simulator", columns, simulator(options.grids), options.markdown)


if __name__ == "__main__":
    main()
