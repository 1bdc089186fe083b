"""Photographs blurred on purpose, with their truth and a wrong kernel; and how well a restored one comes to its truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sciml.deblurring.files.outputs import check_outputs, write_kernel
from sciml.deblurring.files.photos import Photo, read_photo, write_light
from sciml.deblurring.kernels.canonical import blur_rms, ncc, read_kernel
from sciml.deblurring.kernels.errors import perturbed
from sciml.deblurring.study.metrics import best_shift_psnr
from sciml.formats.image import block_mean, linear_to_srgb
from sciml.imaging.metrics import psnr
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.similarity import ssim
from sciml.runtime.errors import ConfigError, ShapeError
from sciml.runtime.seeds import Seeds

REACH = 5
LARGEST_SHIFTED = 1024


def simulate_file(
    path: Path,
    kernel: str,
    out: Path,
    noise: float = 0.01,
    *,
    kernel_error: str = "exact",
    given_out: Path | None = None,
    truth_out: Path | None = None,
    reduce: int = 1,
    bits: int = 8,
    gamma: str = "auto",
    value_range: Sequence[float] | None = None,
    seed: int = 0,
) -> str:
    """Blur a sharp photograph in linear light, add noise and write it; return what was done in one line.

        y = valid part of k * x + sigma n

    It is smaller than the photograph by the kernel, since nothing beyond the frame is made up; so is the truth. PNG files hold
    display values, all others floats proportional to light: each what `read_photo` takes it for.

    Args:
        path: sharp photograph.
        kernel: text for `sciml.deblurring.kernels.canonical.read_kernel`.
        out: blurred photograph.
        noise: sigma, in linear light on the scale from 0 to 1.
        kernel_error: of the kernel that is written, as for `sciml.deblurring.kernels.errors.perturbed`.
        given_out: file of the kernel with that error.
        truth_out: file of the sharp photograph inside the blurred one's frame.
        reduce: means over so many rows and columns come first, which makes a soft or noisy photograph sharp.
        bits: 8 or 16 of a grey PNG file.
        gamma: of the file's values, as for `read_photo`.
        value_range: of the file's values, as for `read_photo`.
        seed: of noise and kernel error.

    Raises:
        ConfigError, DataError, FormatError, ShapeError: something given is wrong; nothing is written then.
    """
    check_outputs({"--out": out, "--given-out": given_out, "--truth-out": truth_out}, [path, Path(kernel)])
    if not 0 <= noise < 1:
        raise ConfigError(f"--noise-std is a standard deviation from 0 to 1, got {noise:g}")
    if kernel_error != "exact" and given_out is None:
        raise ConfigError("say with --given-out where the kernel with the error goes: the blur itself is made with the right one")
    if bits not in (8, 16):
        raise ConfigError(f"--bits is 8 or 16, got {bits}")
    true = read_kernel(kernel)
    given = perturbed(true.kernel, kernel_error, np.random.default_rng(Seeds(seed)("kernel error")), recentre=False)
    photo = read_photo(path, gamma, value_range)
    if bits == 16 and photo.channels == 3:
        raise ConfigError("PNG files in colour are written at 8 bits: take --out FILE.tif for more")
    light = photo.linear()
    if reduce != 1:
        light = torch.from_numpy(np.ascontiguousarray(block_mean(light.numpy(), _checked(reduce, photo), rows_axis=1)))
    margin = true.kernel.shape[0] // 2
    size = (light.shape[-2] - 2 * margin, light.shape[-1] - 2 * margin)
    if min(size) < 2 * true.kernel.shape[0]:
        raise ShapeError(
            f"the photograph ({light.shape[-2]} x {light.shape[-1]}) is too small for a kernel of {true.kernel.shape[0]} pixels: "
            "what is left after the blur must be two kernels wide"
        )
    blur = ValidBlur(true.kernel, size)
    drawn = torch.randn((1, len(light), *size), generator=torch.Generator().manual_seed(Seeds(seed)("noise")))
    write_light(out, (blur.A(light[None]) + noise * drawn)[0], bits)
    if truth_out is not None:
        write_light(truth_out, blur.crop(light[None])[0], bits)
    if given_out is not None:
        write_kernel(given_out, given)
    error = f", kernel error {kernel_error}" if kernel_error != "exact" else ""
    meaning = "display values (sRGB)" if out.suffix.lower() == ".png" else "values proportional to light"
    return f"{out}: {size[0]} x {size[1]} pixels, {meaning}, kernel {kernel}, noise {noise:g} in linear light{error}"


def evaluate_files(
    restored: Path,
    truth: Path,
    border: int = 0,
    kernel: str | None = None,
    true_kernel: str | None = None,
    as_stored: bool = False,
    value_range: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Return how near a restored photograph comes to its truth, as JSON values.

    Args:
        restored: photograph.
        truth: of the same size and colours.
        border: pixels left out at each side; at least 5 for the best shift.
        kernel: the one in use, and
        true_kernel: the right one, to be compared with it.
        as_stored: compare the numbers of the files; by default display values, cut to 0 and 1, to which light is encoded.
        value_range: stored values of floats that become 0 and 1.

    Raises:
        ConfigError: one kernel without the other, or a border out of range.
        ShapeError: the sizes differ.
        DataError, FormatError: a file cannot be used.
    """
    if (kernel is None) != (true_kernel is None):
        raise ConfigError("two kernels are compared: give both --kernel and --true-kernel")
    if border < 0:
        raise ConfigError(f"--border is at least 0, got {border}")
    photos = [_read(restored, value_range, measured=False), _read(truth, value_range)]
    if photos[0].values.shape != photos[1].values.shape:
        raise ShapeError(
            f"{restored} has {_form(photos[0])}, {truth} has {_form(photos[1])}: a photograph and its truth have one size; "
            "`simulate --truth-out` writes the truth inside the blurred frame"
        )
    estimate, true = (_compared(photo, as_stored) for photo in photos)
    inner = (slice(None), *(slice(border, length - border) for length in true.shape[1:]))
    if min(true[inner].shape[1:]) < 11:
        raise ConfigError(f"inside a border of {border} fewer than 11 pixels are left of {_form(photos[1])}")
    pairs = list(zip(estimate[inner], true[inner], strict=True))
    # all channels count alike
    stacked = [np.concatenate(list(each[inner])) for each in (estimate, true)]
    middle = (slice(None), *(_middle(length) for length in true.shape[1:]))
    shifted = best_shift_psnr(estimate[middle], true[middle], REACH, border=max(border, REACH))
    result: dict[str, Any] = {
        "values": "as stored" if as_stored else "display values (sRGB)",
        "border": border,
        "psnr_db": psnr(stacked[0], stacked[1], 1),
        "ssim": float(np.mean([ssim(*pair) for pair in pairs])),
        "best_shift_psnr_db": shifted.psnr,
        "unshifted_psnr_db": shifted.unshifted,
        "best_shift_rows_columns": list(shifted.shift),
    }
    if kernel is not None and true_kernel is not None:
        used, right = (read_kernel(text).kernel for text in (kernel, true_kernel))
        result["kernel_ncc"] = ncc(used, right)
        result["kernel_ncc_best_shift"] = ncc(used, right, any_shift=True)
        result["kernel_blur_rms"] = blur_rms(right, used, photos[1].linear().numpy())
    return result


def _read(path: Path, value_range: Sequence[float] | None, measured: bool = True) -> Photo:
    # a PNG file made of floats has a range of its own
    stored = None if path.suffix.lower() in (".png", ".jpg", ".jpeg") else value_range
    return read_photo(path, value_range=stored, measured=measured)


def _compared(photo: Photo, as_stored: bool) -> np.ndarray:
    values = photo.values.reshape(-1, *photo.size).numpy()
    if as_stored:
        return values
    return (values if photo.display else linear_to_srgb(values.clip(0, 1))).clip(0, 1)


def _middle(length: int) -> slice:
    first = max(0, length - LARGEST_SHIFTED) // 2
    return slice(first, first + min(length, LARGEST_SHIFTED))


def _form(photo: Photo) -> str:
    return f"{photo.size[0]} x {photo.size[1]} pixels, {'grey' if photo.channels == 1 else 'colour'}"


def _checked(reduce: int, photo: Photo) -> int:
    if not 1 <= reduce <= min(photo.size) // 16:
        raise ConfigError(f"--reduce is a whole number from 1 to {min(photo.size) // 16} for this photograph, got {reduce}")
    return reduce
