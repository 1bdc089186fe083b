"""Time deblurring, side by side in one process: known kernels, the correction of a kernel, untrained networks.

python benchmarks/deblurring.py [--size 128] [--threads 1] [--iterations 30] [--reach 300] [--markdown]

* Known kernel: processor seconds and PSNR of total variation and its peers, beside programs of deepinv and scikit-image on the
  same picture. The kernel is exact; the boundary is that of a real picture.
* Wrong kernel: the same picture with a kernel turned by 10 degrees, as given and corrected.
* Untrained networks: seconds an iteration of the image network alone (a deep image prior), of the same with total variation, and
  of the pair of image and residual networks, beside the network of deepinv of about as many parameters; then iterations and time
  until the PSNR is 1 dB above that of total variation with the wrong kernel, if it gets there within `--reach` iterations.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from sciml.datasets.loaders import load_photo
from sciml.deblurring.correction.kernel_step import corrected_kernel
from sciml.deblurring.dip.fit import untrained
from sciml.deblurring.kernels.canonical import read_kernel
from sciml.deblurring.kernels.errors import perturbed
from sciml.deblurring.settings.structures import DipConfig, StopConfig
from sciml.deblurring.solvers.image import map_estimate, natural_weight, noise_unit
from sciml.deblurring.study.cells import circular, picture_of, solve_cell
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.devices import keep_freed_memory

KERNEL, TURN, SIGMA = "motion:15,30", "rotation:10", 0.01
Row = tuple[str, str, str, str, str]


def scene(size: int) -> tuple[torch.Tensor, np.ndarray, Kernel]:
    """Return the blurred picture, the truth that it shows, and the true kernel."""
    kernel = read_kernel(KERNEL).kernel
    wanted = size + len(kernel) - 1
    photo = load_photo("monarch", reduction=2 if size <= 192 else 1, grey=True, linear=True).array.astype(np.float32)
    top, left = ((length - wanted) // 2 for length in photo.shape)
    x = torch.from_numpy(np.ascontiguousarray(photo[top : top + wanted, left : left + wanted]))[None, None]
    blur = ValidBlur(kernel, (size, size))
    y = blur.A(x) + SIGMA * torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    return y, blur.crop(x)[0, 0].numpy(), kernel


def psnr(x: torch.Tensor, y: torch.Tensor, truth: np.ndarray) -> float:
    """Return the PSNR of linear light over the picture."""
    error = picture_of(x, y)[0, 0].cpu().numpy().clip(0, 1) - truth
    return float(-10 * np.log10(np.mean(error**2)))


def timed(run: Callable[[], Any], repeat: int = 3) -> tuple[Any, float, float]:
    """Return the result of a run and the least processor and wall seconds of some, after one to warm up."""
    result, cpu, wall = run(), [], []
    for _ in range(repeat):
        begin, clock = time.process_time(), time.perf_counter()
        result = run()
        cpu.append(time.process_time() - begin)
        wall.append(time.perf_counter() - clock)
    return result, min(cpu), min(wall)


def known_kernel(y: torch.Tensor, truth: np.ndarray, kernel: Kernel) -> list[Row]:
    """Return rows of the solvers that take the kernel as exact."""
    programs: dict[str, Callable[[], torch.Tensor]] = {
        "sciml tv, valid boundary": lambda: solve_cell(y, kernel, SIGMA, "tv", 0.75),
        "sciml lpn:photo-deblur": lambda: solve_cell(y, kernel, SIGMA, "lpn:photo-deblur", 1.0),
        "sciml hyper-laplacian": lambda: solve_cell(y, kernel, SIGMA, "hyper-laplacian", 0.2),
        "sciml richardson-lucy, 20 updates": lambda: solve_cell(y, kernel, SIGMA, "richardson-lucy", 0.05),
        "sciml tv, circular boundary": lambda: circular(y, kernel, 8 * noise_unit(kernel, SIGMA)),
        "scikit-image richardson_lucy, 20 updates": lambda: _skimage(y, kernel, "richardson_lucy"),
        "scikit-image unsupervised_wiener": lambda: _skimage(y, kernel, "unsupervised_wiener"),
        "deepinv TV, 100 proximal gradients, valid": lambda: _deepinv(y, kernel),
    }
    rows = []
    for name, program in programs.items():
        x, cpu, wall = timed(program)
        rows.append(("exact kernel", name, f"{cpu:.3g}", f"{wall:.3g}", f"{psnr(x, y, truth):.2f} dB"))
    return rows


def _skimage(y: torch.Tensor, kernel: Kernel, name: str) -> torch.Tensor:
    """Return the picture by scikit-image, whose boundary is softened by mirror images."""
    from skimage import restoration

    margin = len(kernel)
    padded = np.pad(y[0, 0].numpy(), margin, mode="reflect")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "richardson_lucy":
            found = restoration.richardson_lucy(padded.clip(0), kernel, num_iter=20)
        else:
            found, _ = restoration.unsupervised_wiener(padded, kernel, rng=0)
    return torch.from_numpy(np.asarray(found, dtype=np.float32))[None, None]


def _deepinv(y: torch.Tensor, kernel: Kernel) -> torch.Tensor:
    from deepinv.optim.prior import TVPrior
    from deepinv.physics import Blur

    blur = Blur(torch.from_numpy(kernel).float()[None, None], padding="valid")
    prior = TVPrior(n_it_max=20)
    x = momentum = torch.nn.functional.pad(y, (len(kernel) // 2,) * 4, mode="replicate")
    weight = natural_weight(kernel, SIGMA)
    for step in range(100):
        previous, x = x, prior.prox(momentum - blur.A_adjoint(blur.A(momentum) - y), gamma=weight)
        momentum = x + step / (step + 3) * (x - previous)
    return x


def wrong_kernel(y: torch.Tensor, truth: np.ndarray, kernel: Kernel, given: Kernel) -> list[Row]:
    """Return rows of the picture with the wrong kernel, the corrected one, and the exact one."""
    x, cpu, wall = timed(lambda: map_estimate(y, given, sigma=SIGMA))
    rows = [("turned by 10 degrees", "sciml tv, kernel as given", f"{cpu:.3g}", f"{wall:.3g}", f"{psnr(x, y, truth):.2f} dB")]
    for model in ("kernel", "warp"):
        step, cpu, wall = timed(lambda model=model: corrected_kernel(y, given, SIGMA, model), 1)
        x = map_estimate(y, step.kernel, sigma=SIGMA)
        rows.append(
            ("turned by 10 degrees", f"sciml tv, error model {model}", f"{cpu:.3g}", f"{wall:.3g}", f"{psnr(x, y, truth):.2f} dB")
        )
    x = map_estimate(y, kernel, sigma=SIGMA)
    rows.append(("turned by 10 degrees", "sciml tv, exact kernel (oracle)", "", "", f"{psnr(x, y, truth):.2f} dB"))
    return rows


def networks(y: torch.Tensor, truth: np.ndarray, given: Kernel, iterations: int, reach: int) -> list[Row]:
    """Return rows of untrained networks."""
    start = map_estimate(y, given, sigma=SIGMA)
    goal = psnr(start, y, truth) + 1
    forever = StopConfig(held_out=0.0, discrepancy=None)
    plain = DipConfig(mode="none", tv_weight=0.0, jitter=0.0, artefact_weight=None, least_gain=None, stop=forever)
    programs = {
        "sciml image network alone (deep image prior)": (plain, None),
        "sciml image network with tv": (plain.model_copy(update={"tv_weight": 0.1}), None),
        "sciml image and residual networks": (DipConfig(mode="residual", least_gain=None, stop=forever), None),
        "sciml image and residual networks, from tv": (DipConfig(mode="residual", least_gain=None, stop=forever), start),
    }
    rows = []
    for name, (config, warm) in programs.items():
        reached: list[tuple[int, float]] = []
        begin = time.perf_counter()

        def look(snapshot: Any, reached: list[tuple[int, float]] = reached, begin: float = begin) -> bool:
            if psnr(snapshot.image, y, truth) >= goal:
                reached.append((snapshot.iteration, time.perf_counter() - begin))
            return bool(reached)

        cpu, wall = _fit(y, given, config, warm, iterations)
        begin = time.perf_counter()
        _fit(y, given, config, warm, reach, look)
        when = f"tv + 1 dB after {reached[0][0]} its, {reached[0][1]:.0f} s" if reached else f"tv + 1 dB not within {reach} its"
        rows.append(("untrained, an iteration", name, f"{cpu / iterations:.3g}", f"{wall / iterations:.3g}", when))
    rows.append(_peer(y, given, iterations))
    return rows


def _fit(
    y: torch.Tensor, given: Kernel, config: DipConfig, start: torch.Tensor | None, iterations: int, look: Any = None
) -> tuple[float, float]:
    settings = config.model_copy(update={"iterations": iterations})
    begin, clock = time.process_time(), time.perf_counter()
    untrained(y, given, SIGMA, settings, start, generator=torch.Generator().manual_seed(0), on_iteration=look)
    return time.process_time() - begin, time.perf_counter() - clock


def _peer(y: torch.Tensor, given: Kernel, iterations: int) -> Row:
    """Return the row of deepinv's deep image prior, its width chosen for about 0.57 million parameters."""
    from deepinv.models import ConvDecoder, DeepImagePrior
    from deepinv.physics import Blur

    size = (1, y.shape[-2] + len(given) - 1, y.shape[-1] + len(given) - 1)
    torch.manual_seed(0)
    network = ConvDecoder(img_size=size, in_size=(8, 8), layers=6, channels=110)
    count = sum(parameter.numel() for parameter in network.parameters())
    program = DeepImagePrior(network, img_size=[110, 8, 8], iterations=iterations)
    blur = Blur(torch.from_numpy(given).float()[None, None], padding="valid")
    begin, clock = time.process_time(), time.perf_counter()
    program(y, blur)
    cpu, wall = time.process_time() - begin, time.perf_counter() - clock
    name = f"deepinv DeepImagePrior, {count / 1e6:.2f} M parameters"
    return "untrained, an iteration", name, f"{cpu / iterations:.3g}", f"{wall / iterations:.3g}", "no stop rule, no tv"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--iterations", type=int, default=30, help="of an untrained network, for the seconds an iteration")
    parser.add_argument("--reach", type=int, default=300, help="iterations within which tv + 1 dB is looked for")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    y, truth, kernel = scene(options.size)
    given = perturbed(kernel, TURN, np.random.default_rng(0))
    rows = [
        *known_kernel(y, truth, kernel),
        *wrong_kernel(y, truth, kernel, given),
        *networks(y, truth, given, options.iterations, options.reach),
    ]
    head = ("problem", "program", "CPU s", "wall s", "result")
    if options.markdown:
        print("\n".join(f"| {' | '.join(row)} |" for row in (head, ("--",) * 5, *rows)))
        return
    table = Table(*head)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
