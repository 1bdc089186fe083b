"""Sparsity in an orthonormal wavelet basis as a prior."""

from __future__ import annotations

import numpy as np
import pywt
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.priors import Certificate, Images, per_image


class WaveletSparsity:
    """l1 norm of the detail coefficients of a periodic orthonormal wavelet transform, joint over channels.

        R(x) = sum over details of |W x|,   prox = W^T soft(W x, weight)   (Donoho, IEEE Trans. Inf. Theory 1995)

    The prox averages the result over `shifts` diagonal cyclic shifts of the image, which removes block artefacts; with one
    shift it is the exact prox. Sizes that are no multiple of 2^levels are extended by their edge for the transform.

    Args:
        wavelet: name of an orthogonal wavelet in PyWavelets.
        levels: depth of the transform, less where the image is too small for it.
        shifts: number of cyclic shifts to average.
    """

    def __init__(self, wavelet: str = "db4", levels: int = 4, shifts: int = 2) -> None:
        self.wavelet, self.levels, self.shifts = wavelet, levels, shifts

    def _details(self, array: np.ndarray) -> list[tuple[np.ndarray, ...]]:
        depth = min(self.levels, pywt.dwt_max_level(min(array.shape[-2:]), self.wavelet))
        return pywt.wavedec2(array, self.wavelet, mode="periodization", level=max(1, depth), axes=(-2, -1))

    def _extended(self, x: Tensor) -> np.ndarray:
        block = 2**self.levels
        pad = [(0, 0), (0, 0), *((0, -size % block) for size in x.shape[-2:])]
        return np.pad(x.detach().cpu().numpy(), pad, mode="edge")

    def prox(self, v: Images, weight: float | Float[Tensor, " batch"]) -> Images:
        """Return the shift-averaged soft thresholding of the details."""
        threshold = per_image(weight, v).cpu().numpy()
        array = self._extended(v)
        total = np.zeros_like(array)
        for shift in range(self.shifts):
            coefficients = self._details(np.roll(array, (shift, shift), (-2, -1)))
            kept = [coefficients[0], *(tuple(_soft(band, threshold) for band in level) for level in coefficients[1:])]
            back = pywt.waverec2(kept, self.wavelet, mode="periodization", axes=(-2, -1))
            total += np.roll(back, (-shift, -shift), (-2, -1))
        return torch.from_numpy(total / self.shifts).to(v)[..., : v.shape[-2], : v.shape[-1]]

    def value(self, x: Images) -> Float[Tensor, " batch"]:
        """Return the sum of the magnitudes of the details (unshifted transform)."""
        levels = self._details(self._extended(x))[1:]
        sums = [np.sqrt((band**2).sum(1)).sum((1, 2)) for level in levels for band in level]
        return torch.from_numpy(np.sum(sums, axis=0)).to(x)

    def gradient(self, x: Images) -> Images:
        """Return the subgradient W^T (W x / |W x|) with 0 / 0 = 0 (unshifted transform)."""
        coefficients = self._details(self._extended(x))
        signs = [np.zeros_like(coefficients[0]), *(tuple(_direction(band) for band in level) for level in coefficients[1:])]
        back = pywt.waverec2(signs, self.wavelet, mode="periodization", axes=(-2, -1))
        return torch.from_numpy(back).to(x)[..., : x.shape[-2], : x.shape[-1]]

    def certificate(self) -> Certificate:
        """Return: convex and bounded below; the prox is exact with one shift and sizes that are multiples of 2^levels."""
        return Certificate(0.0, None, True, self.shifts == 1, f"l1 norm of a linear map; prox averaged over {self.shifts} shifts")


def _magnitude(band: np.ndarray) -> np.ndarray:
    return np.sqrt((band**2).sum(1, keepdims=True))


def _soft(band: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    size = _magnitude(band)
    return band * np.maximum(1 - threshold / np.maximum(size, 1e-30), 0)


def _direction(band: np.ndarray) -> np.ndarray:
    size = _magnitude(band)
    return np.where(size > 0, band / np.maximum(size, 1e-30), 0)
