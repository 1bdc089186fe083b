"""Time learned proximal networks against the published architecture at equal parameters, and against plain CNNs, side by side.

python benchmarks/proximal.py [--repeat 3] [--size 256] [--threads 1] [--markdown]

For each network: seconds a megapixel of one evaluation f(y) at sigma 0.1, of one solver iteration (one gradient of R and of the
data term of a valid blur for the implicit form, one proximal gradient step otherwise), and milliseconds of a training step on
four crops of 64 x 64. The published network takes images of 128 x 128 only, and is timed on as many of them as fill the size.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.tasks.task import task
from sciml.proximal.learning.objectives import denoising_directly, denoising_through_the_solver
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.forms import load_denoiser
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.potentials.published import photographs
from sciml.proximal.settings.structures import PublishedPotential, SolverSchedule

PUBLISHED_SIZE = 128
CROPS = 64
SIGMA = 0.1


def published(parameters: int) -> ExplicitNetwork:
    """Return the published 128 x 128 architecture at the width whose number of parameters is nearest."""
    best = min(range(1, 64), key=lambda width: abs(_count(ExplicitNetwork(_settings(width))) - parameters))
    return ExplicitNetwork(_settings(best))


def _settings(width: int) -> PublishedPotential:
    return photographs(PUBLISHED_SIZE, 1, width, head=width)


def _count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def cpu_seconds(run: Callable[[], Any], repeat: int) -> float:
    """Return the least processor time of `repeat` runs after one that warms up."""
    run()
    times = []
    for _ in range(repeat):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return min(times)


def measure(network: Any, size: int, repeat: int) -> tuple[float, float | None, float]:
    """Return seconds a megapixel of f and of one solver iteration (None without one), and seconds a training step."""
    fixed = isinstance(network, ExplicitNetwork) and network.potential.size is not None
    side, count = (PUBLISHED_SIZE, (size // PUBLISHED_SIZE) ** 2) if fixed else (size, 1)
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(count, 1, side, side, generator=generator).cumsum(-1).cumsum(-2)
    clean = clean / clean.amax()
    noisy = clean + SIGMA * torch.randn(clean.shape, generator=generator)
    megapixels = noisy.numel() / 1e6
    of_f = cpu_seconds(lambda: network(noisy, SIGMA), repeat) / megapixels
    return of_f, _iteration(network, side, noisy, repeat, megapixels), _training(network, side if fixed else CROPS, repeat)


def _iteration(network: Any, side: int, x: torch.Tensor, repeat: int, megapixels: float) -> float | None:
    if not isinstance(network, ImplicitNetwork | ExplicitNetwork):
        return None
    physics = task("deblur", (side - 18, side - 18)).physics
    assert isinstance(physics, ValidBlur)
    y = physics.A(x)

    def data() -> torch.Tensor:
        return physics.A_adjoint(physics.A(x) - y)

    if isinstance(network, ImplicitNetwork):
        at = network.regularizer.at(torch.tensor([SIGMA]))
        with torch.no_grad():
            return cpu_seconds(lambda: (data(), at.value_and_gradient(x)), repeat) / megapixels
    return cpu_seconds(lambda: network.evaluate(x - data(), SIGMA), repeat) / megapixels


def _training(network: Any, side: int, repeat: int) -> float:
    images = torch.rand(4, 1, side, side, generator=torch.Generator().manual_seed(1))
    step = (
        denoising_through_the_solver((SIGMA, SIGMA), SolverSchedule())
        if isinstance(network, ImplicitNetwork)
        else denoising_directly((SIGMA, SIGMA))
    )

    def run() -> None:
        loss, _ = step(network, {"images": images, "done": 0.0}, torch.Generator().manual_seed(0))
        loss.backward()
        network.zero_grad()

    return cpu_seconds(run, repeat)


def main() -> None:
    """Print the table; the ratios are to the published architecture at equal parameters."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    networks: dict[str, Any] = {
        name: load_denoiser(name) for name in ("photo-grey", "photo-grey-explicit", "peer-residual", "peer-gradient-step")
    }
    reference = published(_count(networks["photo-grey"]))
    rows = [("published 128 x 128", _count(reference), *measure(reference, arguments.size, arguments.repeat))]
    rows += [(name, _count(one), *measure(one, arguments.size, arguments.repeat)) for name, one in networks.items()]
    head = ("network", "parameters", "f, s/MP", "ratio", "iteration, s/MP", "ratio", "training step, ms", "ratio")
    lines = []
    for name, parameters, *values in rows:
        cells = [name, f"{parameters:,}"]
        for value, base, unit in zip(values, rows[0][2:], (1, 1, 1000), strict=True):
            cells += ["", ""] if value is None or base is None else [f"{unit * value:.3g}", f"{value / base:.2f}"]
        lines.append(cells)
    if arguments.markdown:
        print("| " + " | ".join(head) + " |\n" + "|--" * len(head) + "|")
        print("\n".join("| " + " | ".join(line) + " |" for line in lines))
        return
    table = Table(*head)
    for line in lines:
        table.add_row(*line)
    Console().print(table)


if __name__ == "__main__":
    main()
