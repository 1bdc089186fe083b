"""One image of the user's own: measure it, reconstruct it, score it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.imaging.catalogue import METHODS, TASKS, chosen
from sciml.imaging.files import Image, read_image, write_image
from sciml.imaging.kernels import Kernel, check_kernel
from sciml.imaging.metrics import psnr, ssim
from sciml.imaging.physics import ValidBlur, noise_of
from sciml.imaging.priors import resolve
from sciml.imaging.solvers import noise_weight, proximal_gradient
from sciml.imaging.tasks import Task, task
from sciml.imaging.tomography import ParallelBeam, detector_count
from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError
from sciml.runtime.files import load_tensors, save_tensors
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
STAND_IN = "gaussian"
"""The kernel that a task is built with before the user's own takes its place; it has every odd size."""


def measure_file(image: Path, name: str, out: Path, options: Sequence[str], kernel: Path | None, seed: int) -> None:
    """Simulate a measurement of an image file and write it with the truth.

    Colour channels and the slices of a volume are measured one by one with the same physics.

    Args:
        image: a picture, slice or volume.
        name: task.
        out: `.safetensors` file.
        options: `key=value` texts.
        kernel: a blur kernel of the user's, for `deblur`.
        seed: seed of everything random.
    """
    if out.suffix != ".safetensors":
        raise ConfigError(f"a measurement is written as .safetensors, got {out}")
    picture = read_image(image)
    batch = to_batch(picture)
    built, record = build(name, batch.shape[-2:], parse_options(options), kernel, seed, canvas=True)
    data = built.measure(batch, torch.Generator().manual_seed(Seeds(seed)("noise")))
    record |= {"axes": picture.axes, "image": picture.name, "affine": None if picture.affine is None else picture.affine.tolist()}
    tensors = {"data": data.numpy(), "truth": batch.numpy()}
    if isinstance(built.physics, ValidBlur):
        tensors["kernel"] = built.physics.kernel.numpy()
    save_tensors(out, tensors, record)


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
) -> None:
    """Reconstruct a measurement file, or an image or sinogram that is a measurement itself, and write the result.

    Args:
        measurement: file of `measure_file`, or an image.
        out: result, by its suffix.
        method: a method that applies to the task, or `prior:NAME` for a prior of `sciml.priors`.
        parameter: the method's parameter; a default in the range that validation finds otherwise.
        name: task, where the measurement is an image.
        options: `key=value` texts of the task, likewise.
        kernel: a blur kernel of the user's, likewise.
        seed: seed of the task's physics, likewise.
        device: `cpu` or `cuda`.
    """
    if measurement.suffix == ".safetensors":
        if name is not None or options or kernel is not None:
            raise ConfigError(f"{measurement} says itself what was measured: leave --task, --set and --kernel away")
        built, data, axes, affine = _from_file(measurement, device)
    else:
        if name is None:
            raise ConfigError(f"say with --task what {measurement.name} is a measurement of: {', '.join(TASKS)}")
        picture = read_image(measurement)
        data, axes, affine = to_batch(picture), picture.axes, picture.affine
        built, _ = build(name, _picture_size(name, data, options), parse_options(options), kernel, seed, device=device)
        if isinstance(built.physics, ParallelBeam):
            # a sinogram holds line integrals: never stretched to [0, 1], only brought to the operator of norm 1
            data = torch.from_numpy(picture.array)[None, None] / built.physics.scale
    result = reconstruct(data.to(device), built, method, parameter)
    # a valid blur loses a margin, so the corner that the affine places is gone
    placed = affine if built.canvas == built.size else None
    write_image(out, from_batch(built.picture(result).cpu(), axes), affine=placed, voxel_size_mm=voxel_size_mm(affine))


def reconstruct(data: Tensor, built: Task, method: str, parameter: float | None = None) -> Tensor:
    """Return the reconstruction of a batch with a method's name and parameter.

    Raises:
        ConfigError: the method is unknown or does not apply, or an extra is not installed.
    """
    if method.startswith("prior:"):
        weight = noise_weight(data, built.physics) * (1.0 if parameter is None else parameter)
        return proximal_gradient(data, built.physics, resolve(method.removeprefix("prior:")), weight)
    if not chosen(built.name, (method,)):
        raise ConfigError(f"{method} needs the extra package {METHODS[method].package}: pip install 'sciml[nonfree]'")
    if METHODS[method].parameter is None and parameter is not None:
        raise ConfigError(f"{method} has no parameter")
    if parameter is not None and not parameter > 0:
        raise ConfigError(f"the parameter of {method} ({METHODS[method].parameter}) is above 0, got {parameter}")
    value = DEFAULT_PARAMETER.get(method, 0.0) if parameter is None else parameter
    return METHODS[method].solve(data, built.physics, value)


def score_files(result: Path, truth: Path) -> dict[str, tuple[float, float]]:
    """Return PSNR (dB) and SSIM of each channel or slice of a result against the truth's centre.

    Raises:
        ShapeError: the result is larger than the truth, or they differ in channels or slices.
    """
    estimate, reference = (to_batch(read_image(path)) for path in (result, truth))
    if len(estimate) != len(reference) or any(a > b for a, b in zip(estimate.shape[-2:], reference.shape[-2:], strict=True)):
        raise ShapeError(f"{result} has shape {tuple(estimate.shape)} and does not fit into {truth}, {tuple(reference.shape)}")
    top, left = ((b - a) // 2 for a, b in zip(estimate.shape[-2:], reference.shape[-2:], strict=True))
    reference = reference[..., top : top + estimate.shape[-2], left : left + estimate.shape[-1]]
    pairs = [(a[0].numpy(), b[0].numpy()) for a, b in zip(estimate, reference, strict=True)]
    return {f"{result.name}[{index}]": (psnr(a, b), ssim(a, b)) for index, (a, b) in enumerate(pairs)}


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Return `key=value` texts as a dictionary, values still text."""
    pairs = [option.partition("=") for option in options]
    for key, separator, value in pairs:
        if not key or not separator or not value:
            raise ConfigError(f"an option looks like views=60, got {key + separator + value!r}")
    return {key.replace("-", "_"): value for key, _, value in pairs}


def build(
    name: str,
    size: Sequence[int],
    options: dict[str, Any],
    kernel: Path | None,
    seed: int,
    canvas: bool = False,
    device: str = "cpu",
) -> tuple[Task, dict[str, Any]]:
    """Return the task and the record to rebuild it; with `canvas` the size is that of the truth, else of the measurement."""
    loaded = read_kernel(kernel, tuple(size)) if kernel is not None else None
    if loaded is not None and name != "deblur":
        raise ConfigError(f"--kernel goes with the task deblur, not with {name}")
    if loaded is not None:
        options = {**options, "kernel": STAND_IN, "kernel_size": len(loaded)}
    if name == "deblur" and canvas:
        margin = int(options.get("kernel_size", TASKS["deblur"].defaults["kernel_size"])) // 2
        size = [side - 2 * margin for side in size]
    built = task(name, (int(size[0]), int(size[1])), seed, device=device, **options)
    if loaded is not None:
        built = with_kernel(built, loaded, device)
    return built, {"name": name, "options": dict(built.options), "size": list(built.size), "seed": seed}


def with_kernel(built: Task, kernel: Kernel, device: str = "cpu") -> Task:
    """Return the deblurring task with another kernel and the same noise."""
    physics = ValidBlur(kernel, built.size, device=device)
    physics.noise_level = noise_of(built.physics)  # pyright: ignore[reportArgumentType]
    return Task(built.name, {**built.options, "kernel": "own"}, built.size, physics, built.seed, built.experiment)


def read_kernel(path: Path, image_size: tuple[int, ...]) -> Kernel:
    """Return a kernel from an image or NPY file, checked and normalised."""
    if path.suffix.lower() == ".npy":
        # not read_image: it refuses a constant array, and a constant kernel is a box
        try:
            array = np.load(path, allow_pickle=False)
        except OSError as error:
            raise DataError(f"cannot read the kernel {path}: {error.strerror or error}") from error
        except (ValueError, EOFError) as error:
            raise FormatError(f"the kernel {path} is not a numeric NPY file: {error}") from error
    else:
        array = read_image(path).array
    if array.ndim not in (2, 3):
        raise ShapeError(f"a kernel is a square 2-D array, {path} has shape {array.shape}")
    return check_kernel(array if array.ndim == 2 else array.mean(axis=-1), (image_size[0], image_size[1]))


def to_batch(picture: Image) -> Tensor:
    """Return an image as (channels or slices, 1, height, width) with its value range mapped to [0, 1]."""
    array = picture.unit_interval()
    if picture.axes == "HWC":
        array = np.moveaxis(array, -1, 0)
    stack = array if array.ndim == 3 else array[None]
    return torch.from_numpy(np.ascontiguousarray(stack, dtype=np.float32))[:, None]


def from_batch(batch: Tensor, axes: str) -> np.ndarray:
    """Return what `to_batch` took apart as one array again."""
    array = batch[:, 0].numpy()
    return {"HW": lambda: array[0], "HWC": lambda: np.moveaxis(array, 0, -1), "DHW": lambda: array}[axes]()


def _picture_size(name: str, data: Tensor, options: Sequence[str]) -> tuple[int, int]:
    """Return the size of the picture behind a measurement that came as an image or sinogram."""
    if TASKS.get(name) is None or name not in ("ct-sparse", "ct-limited"):
        return data.shape[-2], data.shape[-1]
    side = next((n for n in range(1, data.shape[-1] + 1) if detector_count((n, n)) == data.shape[-1]), None)
    if side is None:
        raise ShapeError(
            f"no square image has {data.shape[-1]} detector bins; a sinogram is (views, bins), bins = ceil(side sqrt 2)"
        )
    return side, side


def voxel_size_mm(affine: np.ndarray | None) -> tuple[float, ...] | None:
    """Return the spacing along the axes of a volume, the lengths of the affine's columns."""
    return None if affine is None else tuple(float(size) for size in np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))


def _from_file(path: Path, device: str) -> tuple[Task, Tensor, str, np.ndarray | None]:
    tensors, record = load_tensors(path)
    try:
        size = (int(record["size"][0]), int(record["size"][1]))
        options = {key: STAND_IN if value == "own" else value for key, value in record["options"].items()}
        built = task(record["name"], size, int(record["seed"]), device=device, **options)
        if "kernel" in tensors:
            built = with_kernel(built, check_kernel(tensors["kernel"]), device)
        affine = None if record["affine"] is None else np.array(record["affine"], dtype=np.float64).reshape(4, 4)
        return built, torch.from_numpy(tensors["data"]), record["axes"], affine
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FormatError(
            f"{path} is not a measurement file of `sciml imaging measure`: {type(error).__name__} {error}"
        ) from error
