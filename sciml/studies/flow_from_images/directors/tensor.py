"""The order of the rods from a picture: the structure tensor.

The gradient of a texture along the directors lies across them. Of a picture I over its mean, smoothed by a Gaussian of sigma,

    J = < -(I_x + i I_y)^2 >,    E = < I_x^2 + I_y^2 >

over a Gaussian of rho: J has twice the director's angle, and its size grows with the square of the contrast, as the order's.
Noise has no direction and adds to E alone. So the order is read, up to the gain g, from

    m1 = g < J / sqrt|J| >

over a wider Gaussian, whose root keeps the speckle of the texture small. Where |<J>| < 0.1 <E> the texture is flat: not seen.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Complex, Float

GRADIENT_PX = 0.7
"""sigma of the derivatives."""
TENSOR_PX = 3.0
"""rho of the tensor."""
FLAT = 0.1
"""Coherence |<J>| / <E> below which a texture says nothing."""


def smoothed(field: np.ndarray, width: float) -> np.ndarray:
    """Return fields (..., x, y) over a periodic Gaussian of a standard deviation in points."""
    kx, ky = (2 * np.pi * np.fft.fftfreq(n) for n in field.shape[-2:])
    return np.fft.ifft2(np.fft.fft2(field) * np.exp(-(width**2) / 2 * (kx[:, None] ** 2 + ky**2)))


def orientation(
    pictures: Float[np.ndarray, "frames x y"],
) -> tuple[Complex[np.ndarray, "frames x y"], Float[np.ndarray, "frames x y"]]:
    """Return J and E of pictures laid as fields (x, y), each over its mean."""
    relative = pictures / pictures.mean((1, 2), keepdims=True)
    kx, ky = (2 * np.pi * np.fft.fftfreq(n) for n in pictures.shape[-2:])
    waves = np.fft.fft2(np.real(smoothed(relative, GRADIENT_PX)))
    gradient = np.fft.ifft2(1j * kx[:, None] * waves).real + 1j * np.fft.ifft2(1j * ky * waves).real
    return -smoothed(gradient**2, TENSOR_PX), np.real(smoothed(np.abs(gradient) ** 2, TENSOR_PX))


def seen_order(
    pictures: Float[np.ndarray, "frames x y"], width: float, grid: int
) -> tuple[Complex[np.ndarray, "frames grid grid"], Bool[np.ndarray, "frames grid grid"]]:
    """Return the order up to its gain on a coarser grid, and where the texture says something.

    Args:
        pictures: laid as fields (x, y).
        width: standard deviation of the wider Gaussian in pixels.
        grid: points a side, which divide the pixels.
    """
    tensor, energy = orientation(pictures)
    every = pictures.shape[-1] // grid
    order = smoothed(tensor / np.sqrt(np.abs(tensor) + 1e-30), width)
    coherence = np.abs(smoothed(tensor, width)) / np.maximum(np.real(smoothed(energy, width)), 1e-30)
    places = (slice(None), slice(None, None, every), slice(None, None, every))
    return order[places], coherence[places] >= FLAT
