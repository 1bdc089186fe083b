"""Files beside a restored photograph: kernels, maps, masks; and whether files can be written at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from sciml.deblurring.files.photos import Values, rows_first
from sciml.formats.write import write_image, write_npy
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import check_place

PICTURES = (".png", ".tif", ".tiff", ".npy")


def write_kernel(path: Path, kernel: Kernel) -> None:
    """Write a kernel: NPY in full, PNG at 16 bits and TIFF divided by its largest value."""
    if path.suffix.lower() == ".npy":
        write_npy(path, kernel)
    else:
        write_image(path, kernel / kernel.max(), bits=16)


def write_map(path: Path, values: Values | Tensor, signed: bool) -> str:
    """Write a map of numbers as floats; PNG shows it, the 99.5th percentile in white, zero in mid-grey where it has signs.

    Returns:
        What the file holds, in words.
    """
    array = rows_first(values)
    if path.suffix.lower() != ".png":
        write_image(path, array)
        return str(path)
    top = float(np.quantile(np.abs(array), 0.995)) or float(np.abs(array).max())
    shown = array / (top or 1.0)
    write_image(path, 0.5 + shown / 2 if signed else shown)
    return f"{path} ({'mid-grey is 0, white' if signed else 'black is 0, white'} {top:.3g})" if top else f"{path} (0 everywhere)"


def check_outputs(outputs: Mapping[str, Path | None], inputs: Sequence[Path], shake: str = "") -> None:
    """Refuse files that could not be written, before any work.

    Args:
        outputs: by option; those for JSON end in `json`.
        inputs: files that must not be overwritten.
        shake: the option that may write the poses of a camera that turned, as a CSV file.

    Raises:
        ConfigError: an unknown suffix, a folder, an input or another output of the same name, or a place that cannot be written.
    """
    taken = {path.resolve(): "the input" for path in inputs}
    for option, path in outputs.items():
        if path is None:
            continue
        known = (".json",) if option == "--json" else (*PICTURES, ".csv") if option == shake else PICTURES
        if path.suffix.lower() not in known:
            raise ConfigError(f"{option} writes {', '.join(known)}, got {path}")
        if path.is_dir():
            raise ConfigError(f"{option} {path} is a folder: name a file in it")
        if path.resolve() in taken:
            raise ConfigError(f"{option} {path} is also {taken[path.resolve()]}: choose another name")
        taken[path.resolve()] = option
        check_place(option, path.parent)
