"""One image of the user's own: measure it, reconstruct it, score it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from sciml.formats.image import HOUNSFIELD
from sciml.formats.read import read_image
from sciml.imaging.metrics import psnr
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.priors import resolve
from sciml.imaging.similarity import ssim
from sciml.imaging.solvers.classical import noise_weight, proximal_gradient
from sciml.imaging.solvers.tuning import solve
from sciml.imaging.tasks.catalogue import METHODS, chosen
from sciml.imaging.tasks.problems import build, parse_options, read_problem, write_result
from sciml.imaging.tasks.scale import Origin, range_of, to_batch
from sciml.imaging.tasks.task import Task
from sciml.runtime.errors import ConfigError, ShapeError
from sciml.runtime.extras import remedy
from sciml.runtime.files import save_tensors
from sciml.runtime.seeds import Seeds

DEFAULT_PARAMETER = {
    "fbp-hann": 0.7,
    "wiener": 0.03,
    "richardson-lucy": 15.0,
    "nlm": 0.75,
    "bm3d": 1.0,
    "wavelet-l1": 1.5,
    "tv": 1.0,
}


def measure_file(
    image: Path,
    name: str,
    out: Path,
    options: Sequence[str],
    kernel: Path | None,
    seed: int,
    value_range: Sequence[float] | None = None,
) -> None:
    """Simulate a measurement of an image file and write it with the truth.

    Colour channels and the slices of a volume are measured one by one with the same physics.

    Args:
        image: a picture, slice or volume.
        name: task.
        out: `.safetensors` file.
        options: `key=value` texts; sigma is on the scale from 0 to 1 of the value range.
        kernel: a blur kernel of the user's, for `deblur`.
        seed: seed of everything random.
        value_range: the values that become 0 and 1, beyond which they are cut; `range_of` says the default.
    """
    if out.suffix != ".safetensors":
        raise ConfigError(f"a measurement is written as .safetensors, got {out}")
    picture = read_image(image)
    origin = Origin.of(picture, range_of(picture, value_range))
    batch = to_batch(picture, origin.value_range, clip=True)
    built, record = build(name, batch.shape[-2:], parse_options(options), kernel, seed, canvas=True)
    data = built.measure(batch, torch.Generator().manual_seed(Seeds(seed)("noise")))
    tensors = {"data": data.numpy(), "truth": batch.numpy()}
    if isinstance(built.physics, ValidBlur):
        tensors["kernel"] = built.physics.kernel.numpy()
    save_tensors(out, tensors, record | origin.record() | {"image": picture.name})


def solve_file(
    measurement: Path,
    out: Path,
    method: str,
    parameter: float | None,
    name: str | None,
    options: Sequence[str],
    kernel: Path | None,
    seed: int,
    device: str = "cpu",
    mask: Path | None = None,
    value_range: Sequence[float] | None = None,
) -> None:
    """Reconstruct a measurement file, or an image or sinogram that is a measurement itself, and write the result.

    Args:
        measurement: file of `measure_file`, or an image.
        out: result, by its suffix.
        method: a method that applies to the task, or `prior:NAME` for a prior of `sciml.priors`.
        parameter: the method's parameter; a default in the range that validation finds otherwise.
        name: task, where the measurement is an image; this and what follows as in `read_problem`.
        options: `key=value` texts of the task.
        kernel: a blur kernel of the user's.
        seed: seed of the task's physics.
        device: `cpu` or `cuda`.
        mask: which pixels were measured.
        value_range: the values of an image that become 0 and 1.
    """
    problem = read_problem(measurement, out, name, options, kernel, seed, device, mask, value_range)
    result = reconstruct(problem.data.to(device), problem.task, method, parameter)
    write_result(out, problem, result)


def reconstruct(data: Tensor, built: Task, method: str, parameter: float | None = None) -> Tensor:
    """Return the reconstruction of a batch with a method's name and parameter.

    Raises:
        ConfigError: the method is unknown or does not apply, or an extra is not installed.
    """
    if method.startswith("prior:"):
        weight = noise_weight(data, built.physics) * (1.0 if parameter is None else parameter)
        return proximal_gradient(data, built.physics, resolve(method.removeprefix("prior:")), weight)
    if not chosen(built.name, (method,)):
        raise ConfigError(f"{method} needs the extra package {METHODS[method].package}: {remedy('nonfree')}")
    if METHODS[method].parameter is None and parameter is not None:
        raise ConfigError(f"{method} has no parameter")
    if parameter is not None and not parameter > 0:
        raise ConfigError(f"the parameter of {method} ({METHODS[method].parameter}) is above 0, got {parameter}")
    if parameter is None:
        grid = METHODS[method].grid
        parameter = DEFAULT_PARAMETER.get(method, grid[len(grid) // 2] if grid else 0.0)
    return solve(METHODS[method], data, built.physics, parameter)


def score_files(result: Path, truth: Path, value_range: Sequence[float] | None = None) -> dict[str, tuple[float, float]]:
    """Return PSNR (dB) and SSIM of each channel or slice of a result against the truth's centre.

    Both are put on the scale of the truth, whose range is the data range of the scores; Hounsfield units are cut to their window.
    Integer pictures are on the scale from 0 to 1 already, as a PNG result of a scan is.

    Args:
        result: reconstruction.
        truth: true image, of the same size or larger.
        value_range: the values that become 0 and 1; by default what `range_of` says of the truth.

    Raises:
        ShapeError: the result is larger than the truth, or they differ in channels or slices.
    """
    estimated, true = read_image(result), read_image(truth)
    scale, clip = range_of(true, value_range), true.unit == HOUNSFIELD
    estimate, reference = (
        to_batch(picture, (0.0, 1.0) if picture.bits is not None else scale, clip) for picture in (estimated, true)
    )
    if len(estimate) != len(reference) or any(a > b for a, b in zip(estimate.shape[-2:], reference.shape[-2:], strict=True)):
        raise ShapeError(f"{result} has shape {tuple(estimate.shape)} and does not fit into {truth}, {tuple(reference.shape)}")
    top, left = ((b - a) // 2 for a, b in zip(estimate.shape[-2:], reference.shape[-2:], strict=True))
    reference = reference[..., top : top + estimate.shape[-2], left : left + estimate.shape[-1]]
    pairs = [(a[0].numpy(), b[0].numpy()) for a, b in zip(estimate, reference, strict=True)]
    return {f"{result.name}[{index}]": (psnr(a, b, 1), ssim(a, b)) for index, (a, b) in enumerate(pairs)}
