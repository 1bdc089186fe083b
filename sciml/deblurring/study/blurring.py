"""The pairs of a set: photographs blurred by their true kernels, and kernels that are wrong in stated ways.

y = A_k x + n,      A_k x = valid part of k * x in linear light,      n normal with standard deviation sigma
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from sciml.datasets.loaders import load_photo
from sciml.datasets.manifest import local_path, record
from sciml.datasets.splits import split
from sciml.deblurring.config import EXACT, PairSet
from sciml.deblurring.correction.kernel_step import busiest
from sciml.deblurring.kernels.canonical import read_kernel
from sciml.deblurring.kernels.errors import perturbed
from sciml.deblurring.kernels.names import biased
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.errors import ConfigError, ShapeError
from sciml.runtime.files import save_tensors
from sciml.runtime.seeds import Seeds

# of 8 bits: what is left of the noise where a picture is noise-free
ROUNDING = 1 / 255 / 12**0.5
# around the picture on all sides, so that also larger kernels than the true one find their canvas
MARGIN = 32


def simulate(settings: PairSet, photographs: tuple[str, ...], seed: int, path: Path, data_tier: str = "default") -> list[Path]:
    """Write the pairs of a set to one safetensors file and return the photographs' files.

    Args:
        settings: of the set.
        photographs: their ids, of the role that the settings state.
        seed: of noise and of kernel errors; each scene and each error has its own stream.
        path: to write.
        data_tier: whose roles count.

    Raises:
        ConfigError: a photograph is of another role, or a kernel or an error is not known.
        ShapeError: a photograph is too small for the size and the kernels.
    """
    known = split("deblurring", settings.role, data_tier)
    if strangers := [name for name in photographs if name not in known]:
        raise ConfigError(f"{strangers[0]} is no {settings.role} photograph of deblurring: there are {', '.join(known)}")
    seeds, tensors, scenes, pairs = Seeds(seed), {}, [], []
    for photograph in photographs:
        canvas = _canvas(photograph, settings)
        for text in settings.kernels:
            true = read_kernel(text).kernel
            generator = torch.Generator().manual_seed(seeds("noise", photograph, text))
            number = len(scenes)
            tensors[f"scene.{number}.canvas"] = canvas
            tensors[f"scene.{number}.y"] = _blurred(canvas, true, settings, generator)
            tensors[f"scene.{number}.kernel"] = true
            scenes.append({"photograph": photograph, "kernel": text})
            for error in settings.errors:
                tensors[f"pair.{len(pairs)}.given"] = wrong_kernel(text, true, error, seeds("kernel error", text, error))
                pairs.append({"scene": number, "error": error})
    sigma = settings.noise or ROUNDING
    notes = {"scenes": scenes, "pairs": pairs, "sigma": sigma, "margin": MARGIN, "boundary": settings.boundary}
    save_tensors(path, tensors, notes)
    return [local_path(name) for name in photographs]


def wrong_kernel(text: str, true: Kernel, error: str, seed: int) -> Kernel:
    """Return the kernel with an error: `exact`, `bias:length=-5` of a named kernel, or an error of `kernel_errors`.

    Raises:
        ConfigError: the error is not known, or the kernel has no such number.
    """
    if error == EXACT:
        return true
    if error.startswith("bias:"):
        word, _, amount = error.removeprefix("bias:").partition("=")
        try:
            return read_kernel(biased(text, **{word: float(amount)})).kernel
        except ValueError as reason:
            raise ConfigError(f"a bias is written bias:length=-5, got {error!r}") from reason
    return perturbed(true, error, np.random.default_rng(seed))


def _canvas(photograph: str, settings: PairSet) -> Float[np.ndarray, "rows columns"]:
    wanted = settings.size + 2 * MARGIN
    rows, columns = (int(part) for part in record(photograph).shape.split("x")[:2])
    reduction = min(settings.reduction, rows // wanted, columns // wanted)
    if reduction < 1:
        raise ShapeError(f"{photograph} has {rows} x {columns} pixels, and {wanted} a side are needed: take a smaller size")
    image = load_photo(photograph, reduction=reduction, grey=True, linear=True).array.astype(np.float32)
    if settings.crop == "edges":
        return np.ascontiguousarray(image[busiest(torch.from_numpy(image)[None, None], None, wanted)])
    top, left = ((length - wanted) // 2 for length in image.shape)
    return np.ascontiguousarray(image[top : top + wanted, left : left + wanted])


def _blurred(
    canvas: Float[np.ndarray, "rows columns"], kernel: Kernel, settings: PairSet, generator: torch.Generator
) -> Float[np.ndarray, "height width"]:
    """Return the picture of a canvas: blurred, noisy, or rounded to 8 bits where there is no noise."""
    size, margin = settings.size, len(kernel) // 2
    if margin > MARGIN:
        raise ShapeError(f"a kernel of {len(kernel)} pixels is larger than the {2 * MARGIN + 1} that the study has room for")
    if settings.boundary == "circular":
        inner = canvas[MARGIN:-MARGIN, MARGIN:-MARGIN]
        around = np.pad(inner, margin, mode="wrap")
    else:
        around = canvas[MARGIN - margin : MARGIN + size + margin, MARGIN - margin : MARGIN + size + margin]
    y = ValidBlur(kernel, (size, size), torch.float64).A(torch.from_numpy(around.astype(np.float64))[None, None])[0, 0]
    if settings.noise == 0:
        return (torch.round(y * 255) / 255).float().numpy()
    return (y + settings.noise * torch.randn(y.shape, generator=generator, dtype=torch.float64)).float().numpy()
