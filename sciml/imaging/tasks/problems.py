"""A reconstruction problem from a user's own files: a measurement, or an image or sinogram that is one itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.formats.npy import open_npy
from sciml.formats.read import read_image
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import Kernel, check_kernel
from sciml.imaging.operators.mri import MRI
from sciml.imaging.operators.physics import Inpainting, noise_of
from sciml.imaging.operators.tomography import ParallelBeam, detector_count
from sciml.imaging.tasks.catalogue import TASKS, resolve_options
from sciml.imaging.tasks.scale import Origin, check_output, range_of_noisy, to_batch, write_batch
from sciml.imaging.tasks.task import Task, task
from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError
from sciml.runtime.files import load_tensors

SINOGRAM_TASKS = ("ct-sparse", "ct-limited")
STAND_IN = "gaussian"
"""The kernel that a task is built with before the user's own takes its place; it has every odd size."""


@dataclass(frozen=True)
class FileProblem:
    """A reconstruction problem that came from a file.

    Attributes:
        task: what was measured.
        data: measurement of each channel or slice, on the CPU, ready for the physics of the task.
        origin: form and units that the result goes back to.
        clip: whether the truth lies between 0 and 1, so that the result is cut to it.
        scale: what the values of the file, mapped by its range, were divided by.
    """

    task: Task
    data: Tensor
    origin: Origin
    clip: bool
    scale: float = 1.0


def read_problem(
    measurement: Path,
    out: Path,
    name: str | None,
    options: Sequence[str],
    kernel: Path | None,
    seed: int,
    device: str = "cpu",
    mask: Path | None = None,
    value_range: Sequence[float] | None = None,
) -> FileProblem:
    """Return the problem of a measurement file, or of an image or sinogram that is a measurement itself.

    The values of an image are used as they are (integers on the scale from 0 to 1 of their type), or mapped by `value_range`;
    sigma is on that scale, and the result comes back in the units of the file, but for PNG.

    Args:
        measurement: file of `measure_file`, or an image.
        out: file that the result will be written to, checked before any work.
        name: task, where the measurement is an image.
        options: `key=value` texts of the task, likewise.
        kernel: a blur kernel of the user's, likewise.
        seed: seed of the task's physics, likewise.
        device: where the physics lives, `cpu` or `cuda`.
        mask: which pixels were measured, for `inpaint` of an image.
        value_range: the values of an image that become 0 and 1.

    Raises:
        ConfigError, DataError, FormatError, ShapeError: the file, the options and the output do not fit one another.
    """
    scale = 1.0
    if measurement.suffix == ".safetensors":
        if name is not None or options or any(given is not None for given in (kernel, mask, value_range)):
            raise ConfigError(
                f"{measurement} says itself what was measured: leave --task, --option, --kernel, --mask and --range away"
            )
        built, data, origin = _from_file(measurement, device)
        check_output(out, origin.axes, len(data))
    else:
        if name is None:
            raise ConfigError(f"say with --task what {measurement.name} is a measurement of: {', '.join(TASKS)}")
        _check_image_task(name, mask, value_range)
        picture = read_image(measurement)
        sinogram = name in SINOGRAM_TASKS
        # a sinogram holds line integrals, which have no scale from 0 to 1
        origin = Origin.of(picture, (0.0, 1.0) if sinogram else range_of_noisy(picture, value_range))
        data = to_batch(picture, origin.value_range)
        check_output(out, origin.axes, len(data))
        built, _ = build(name, _picture_size(name, data), parse_options(options), kernel, seed, device=device)
        if built.options.get("sigma", 0) > 1:
            raise ConfigError(f"sigma is on the scale from 0 to 1 that the values have or get by --range, got {options}")
        if mask is not None:
            known = read_mask(mask, built.size)
            built, data = with_mask(built, known, device), data * torch.from_numpy(known.astype(np.float32))
        if isinstance(built.physics, ParallelBeam):
            scale = float(built.physics.scale)
            data = data / scale  # the operator has norm 1
    _check_data(data, built, measurement, device)
    # what was measured here was cut to the range before; what a user measured may ring beyond it
    return FileProblem(built, data, origin, measurement.suffix == ".safetensors", scale)


def write_result(out: Path, problem: FileProblem, result: Tensor) -> None:
    """Write the reconstruction of a problem in the form and units of the file that it came from."""
    shown = problem.task.picture(result, clip=problem.clip).cpu()
    # a valid blur loses a margin, so the corner that the affine places is gone
    write_batch(out, shown, problem.origin, placed=problem.task.canvas == problem.task.size)


def _check_image_task(name: str, mask: Path | None, value_range: Sequence[float] | None) -> None:
    """Refuse a task that an image file alone does not describe."""
    if name == "mri-cs":
        raise ConfigError("an image holds no k-space: mri-cs is solved from a file of `sciml imaging measure`")
    if name == "inpaint" and mask is None:
        raise ConfigError("say with --mask FILE which pixels of the image were measured (above 0.5) and which are missing")
    if name != "inpaint" and mask is not None:
        raise ConfigError(f"--mask goes with the task inpaint, not with {name}")
    if name in SINOGRAM_TASKS and value_range is not None:
        raise ConfigError("a sinogram holds line integrals and is used as it is: leave --range away")


def _check_data(data: Tensor, built: Task, path: Path, device: str) -> None:
    channels = 2 if isinstance(built.physics, MRI) else 1
    expected = tuple(built.physics.A(torch.zeros(1, channels, *built.canvas, device=device)).shape[1:])
    if tuple(data.shape[1:]) != expected:
        raise ShapeError(f"task {built.name} measures {expected} a picture, {path} holds {tuple(data.shape[1:])}")


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
        if unused := sorted({"kernel", "kernel_size", "width"} & set(options)):
            raise ConfigError(f"--kernel brings its own size and shape: leave --option {unused[0]} away")
        options = {**options, "kernel": STAND_IN, "kernel_size": len(loaded)}
    if name == "deblur":
        kernel_size = int(resolve_options(name, options)["kernel_size"])
        if kernel_size > min(size):
            raise ShapeError(f"the kernel ({kernel_size} pixels) is larger than the image ({size[0]} x {size[1]})")
        if canvas:
            size = [side - 2 * (kernel_size // 2) for side in size]
    built = task(name, (int(size[0]), int(size[1])), seed, device=device, **options)
    if loaded is not None:
        built = with_kernel(built, loaded, device)
    return built, {"name": name, "options": dict(built.options), "size": list(built.size), "seed": seed}


def with_kernel(built: Task, kernel: Kernel, device: str = "cpu") -> Task:
    """Return the deblurring task with another kernel and the same noise."""
    physics = ValidBlur(kernel, built.size, device=device)
    physics.noise_level = noise_of(built.physics)
    return Task(built.name, {**built.options, "kernel": "own"}, built.size, physics, built.seed, built.experiment)


def with_mask(built: Task, mask: np.ndarray, device: str = "cpu") -> Task:
    """Return the inpainting task with the pixels of a mask and the same noise."""
    kept = torch.from_numpy(mask.astype(np.float32))[None].to(device)
    physics = Inpainting(kept)
    physics.noise_level = noise_of(built.physics)
    return Task(built.name, {**built.options, "keep": float(mask.mean())}, built.size, physics, built.seed, built.experiment)


def read_kernel(path: Path, image_size: tuple[int, ...]) -> Kernel:
    """Return a kernel from an image or NPY file, checked and normalised."""
    return check_kernel(_read_plane(path, "kernel"), (image_size[0], image_size[1]))


def read_mask(path: Path, image_size: tuple[int, int]) -> np.ndarray:
    """Return which pixels an image or NPY file marks as measured, those above 0.5.

    Raises:
        ShapeError: it has another size than the image.
        DataError: it marks no pixel.
    """
    plane = _read_plane(path, "mask")
    if plane.shape != image_size:
        raise ShapeError(f"the mask {path} has shape {plane.shape}, the image {image_size}")
    measured = plane > 0.5
    if not measured.any():
        raise DataError(f"the mask {path} marks no pixel as measured: none is above 0.5 (127 in an 8-bit picture)")
    return measured


def _read_plane(path: Path, what: str) -> np.ndarray:
    """Return a 2-D array from an image (the mean of its colours) or NPY file (its values as they are)."""
    if path.suffix.lower() != ".npy":
        picture = read_image(path)
        array = picture.array.mean(axis=-1) if picture.axes == "HWC" else picture.array
    else:
        # not read_image: it refuses a constant array, and a constant kernel is a box
        array = open_npy(path)
        if array.dtype.kind not in "buif":
            raise FormatError(f"the {what} {path} holds values of type {array.dtype}, not real numbers")
    if array.ndim != 2:
        kind = "square 2-D array" if what == "kernel" else "2-D array"
        raise ShapeError(f"a {what} is a {kind}, {path} has shape {array.shape}")
    return array


def _picture_size(name: str, data: Tensor) -> tuple[int, int]:
    """Return the size of the picture behind a measurement that came as an image or sinogram."""
    if name not in SINOGRAM_TASKS:
        return data.shape[-2], data.shape[-1]
    side = next((n for n in range(1, data.shape[-1] + 1) if detector_count((n, n)) == data.shape[-1]), None)
    if side is None:
        raise ShapeError(
            f"no square image has {data.shape[-1]} detector bins; a sinogram is (views, bins), bins = ceil(side sqrt 2)"
        )
    return side, side


def _from_file(path: Path, device: str) -> tuple[Task, Tensor, Origin]:
    tensors, record = load_tensors(path)
    try:
        size = (int(record["size"][0]), int(record["size"][1]))
        options = {key: STAND_IN if value == "own" else value for key, value in record["options"].items()}
        built = task(record["name"], size, int(record["seed"]), device=device, **options)
        if "kernel" in tensors:
            built = with_kernel(built, check_kernel(tensors["kernel"]), device)
        data = torch.from_numpy(tensors["data"])
        return built, data, Origin.from_record(record, len(data))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FormatError(
            f"{path} is not a measurement file of `sciml imaging measure`: {type(error).__name__} {error}"
        ) from error
