"""Parallel-beam tomography as a sparse matrix: exact adjoint, unit norm, fast enough to iterate.

Geometry: the image is H x W pixels of unit size; the rotation centre is pixel (H // 2, W // 2), the detector has
ceil(sqrt(H^2 + W^2)) unit bins with its centre in bin D // 2, as in scikit-image's `radon(circle=False)`.
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from sciml.imaging.operators.linear import Linear
from sciml.runtime.errors import ConfigError, ShapeError

ENTRY_LIMIT = 400_000_000  # about 5 GB with the transpose


def detector_count(size: tuple[int, int]) -> int:
    """Return the number of unit detector bins that see the whole of an H x W image at every angle."""
    return math.ceil(math.hypot(*size))


@lru_cache(maxsize=4)
def system_matrix(size: tuple[int, int], angles_degrees: tuple[float, ...]) -> sparse.csr_array:
    """Return the line-integral matrix, rows ordered (angle, detector), columns (row, column), in pixel lengths.

    Joseph's method (Joseph, IEEE Trans. Med. Imaging 1982): along the axis that a ray crosses more steeply, one sample a
    pixel line, interpolated linearly across it. With x to the right, y downwards, both from the rotation centre, ray
    (theta, s) is {s (cos, -sin) + t (sin, cos)}; stepping through rows y (|cos| >= |sin|)

        x(y) = (s + y sin) / cos,    weight of a sample = 1 / |cos|,

    and with the axes exchanged otherwise: y(x) = (x cos - s) / sin, weight 1 / |sin|.

    Args:
        size: height and width in pixels.
        angles_degrees: projection angles.
    """
    height, width = size
    bins = detector_count(size)
    s = np.arange(bins) - bins // 2
    blocks = []
    for angle in angles_degrees:
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        steep = abs(cos) >= abs(sin)
        lines, across = (height, width) if steep else (width, height)
        along = np.arange(lines) - lines // 2
        if steep:
            position = (s[:, None] + along * sin) / cos + width // 2
        else:
            position = (along * cos - s[:, None]) / sin + height // 2
        low = np.floor(position).astype(np.int64)
        high_share = position - low
        step = 1 / max(abs(cos), abs(sin))
        ray = np.broadcast_to(np.arange(bins)[:, None], low.shape)
        line = np.broadcast_to(np.arange(lines), low.shape)
        rows, columns, values = [], [], []
        for index, share in ((low, 1 - high_share), (low + 1, high_share)):
            inside = (index >= 0) & (index < across) & (share > 0)
            pixel = line[inside] * width + index[inside] if steep else index[inside] * width + line[inside]
            rows.append(ray[inside])
            columns.append(pixel)
            values.append(step * share[inside])
        coordinates = (np.concatenate(rows), np.concatenate(columns))
        blocks.append(sparse.coo_array((np.concatenate(values).astype(np.float32), coordinates), (bins, height * width)).tocsr())
    return sparse.csr_array(sparse.vstack(blocks, format="csr"))


class _Product(torch.autograd.Function):
    """y = M x for a sparse M, with M^T in the backward pass (the adjoint is a matrix too, so nothing is approximated)."""

    @staticmethod
    def forward(ctx, x: Tensor, matrix: Tensor, transpose: Tensor) -> Tensor:  # type: ignore[override]
        ctx.pair = (transpose, matrix)
        # a product with one vector takes half the time of one with a matrix of one column
        return (matrix @ x[:, 0])[:, None] if x.shape[1] == 1 else matrix @ x

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        return _Product.apply(gradient.contiguous(), *ctx.pair), None, None


class ParallelBeam(Linear):
    """Parallel-beam projector with ||A|| = 1; `A_adjoint` is the exact transpose.

    A = (line integrals in pixel lengths) / scale, where scale is the largest singular value of the line-integral matrix.
    Sinograms have shape (batch, channel, views, detector).

    Args:
        size: image height and width in pixels.
        angles_degrees: projection angles, one a view.
        dtype: float32 or float64 of the matrix.
        device: where the matrix lives.

    Example:
        >>> import torch
        >>> physics = ParallelBeam((32, 32), [0.0, 90.0])
        >>> physics.A(torch.ones(1, 1, 32, 32)).shape
        torch.Size([1, 1, 2, 46])
    """

    def __init__(
        self,
        size: tuple[int, int],
        angles_degrees: list[float] | tuple[float, ...],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if len(angles_degrees) == 0 or min(size) < 2:
            raise ConfigError(f"tomography needs at least one view and 2 x 2 pixels, got {len(angles_degrees)} and {size}")
        entries = 2 * len(angles_degrees) * detector_count(size) * max(size)
        if entries > ENTRY_LIMIT:
            raise ConfigError(
                f"{len(angles_degrees)} views of a {size[0]} x {size[1]} image need a matrix of up to {entries:.1e} entries, "
                f"{ENTRY_LIMIT:.1e} are allowed: take fewer views or a smaller image"
            )
        self.size = (int(size[0]), int(size[1]))
        self.angles_degrees = tuple(float(angle) for angle in angles_degrees)
        matrix = system_matrix(self.size, self.angles_degrees).astype(np.float64 if dtype == torch.float64 else np.float32)
        self.scale = _largest_singular_value(self.size, self.angles_degrees)
        matrix.data /= matrix.dtype.type(self.scale)
        self._matrix = _torch_csr(sparse.csr_array(matrix), device)
        self._transpose = _torch_csr(sparse.csr_array(matrix.T), device)

    def A(self, x: Float[Tensor, "batch channel height width"], **kwargs: object) -> Float[Tensor, "batch channel views bins"]:
        """Return the sinogram of a batch of images.

        Raises:
            ShapeError: the image has another size than the operator.
        """
        if x.ndim != 4 or tuple(x.shape[-2:]) != self.size:
            raise ShapeError(f"the tomography operator is for images of {self.size}, got an array of shape {tuple(x.shape)}")
        return self._multiply(x, self._matrix, self._transpose, (len(self.angles_degrees), detector_count(self.size)))

    def A_adjoint(
        self, y: Float[Tensor, "batch channel views bins"], **kwargs: object
    ) -> Float[Tensor, "batch channel height width"]:
        """Return the unfiltered back-projection, the transpose of `A`.

        Raises:
            ShapeError: the sinogram has another shape than `A` makes.
        """
        self._check_sinogram(y)
        return self._multiply(y, self._transpose, self._matrix, self.size)

    def _check_sinogram(self, y: Tensor) -> None:
        shape = (len(self.angles_degrees), detector_count(self.size))
        if y.ndim != 4 or tuple(y.shape[-2:]) != shape:
            raise ShapeError(f"the tomography operator makes sinograms of {shape}, got an array of shape {tuple(y.shape)}")

    @staticmethod
    def _multiply(x: Tensor, matrix: Tensor, transpose: Tensor, shape: tuple[int, int]) -> Tensor:
        batch, channels = x.shape[:2]
        columns = x.reshape(batch * channels, -1).T.contiguous()
        return _Product.apply(columns, matrix, transpose).T.reshape(batch, channels, *shape)

    def fbp(
        self, y: Float[Tensor, "batch channel views bins"], cutoff: float = 1.0, window: str = "ramp"
    ) -> Float[Tensor, "batch channel height width"]:
        """Return the filtered back-projection (Kak and Slaney 1988, section 3.3).

            x = (pi / views) B F^{-1}[ |f| W(f / cutoff) F y ],   B interpolates the filtered views linearly at each pixel,

        with the band-limited ramp |f| sampled in space. Assumes angles that cover 180 degrees evenly.

        Args:
            y: sinogram of this operator.
            cutoff: fraction of the Nyquist frequency above which everything is dropped.
            window: `ramp` (W = 1) or `hann` (W = cos^2).

        Raises:
            ConfigError: an unknown window, or a cutoff outside (0, 1].
            ShapeError: the sinogram has another shape than `A` makes.
        """
        self._check_sinogram(y)
        if window not in ("ramp", "hann") or not 0 < cutoff <= 1:
            raise ConfigError(f"fbp takes window ramp or hann and a cutoff in (0, 1], got {window!r} and {cutoff}")
        bins = y.shape[-1]
        length = max(64, 2 ** math.ceil(math.log2(2 * bins)))
        # h(0) = 1/4, h(n) = -1 / (pi n)^2 for odd n, 0 for even n
        n = torch.fft.fftfreq(length, 1 / length, dtype=y.dtype, device=y.device)
        kernel = torch.where(n.remainder(2) == 1, -1 / (math.pi * n) ** 2, torch.zeros_like(n))
        kernel[0] = 0.25
        f = torch.fft.rfftfreq(length, dtype=y.dtype, device=y.device)
        response = torch.fft.rfft(kernel).real * (f <= 0.5 * cutoff)
        if window == "hann":
            response = response * torch.cos(math.pi * f / cutoff) ** 2
        filtered = torch.fft.irfft(torch.fft.rfft(y * self.scale, n=length) * response, n=length)[..., :bins]
        return self._interpolating_backprojection(filtered) * (math.pi / len(self.angles_degrees))

    def _interpolating_backprojection(self, views: Tensor) -> Tensor:
        height, width = self.size
        row = torch.arange(height, dtype=views.dtype, device=views.device)[:, None] - height // 2
        column = torch.arange(width, dtype=views.dtype, device=views.device)[None] - width // 2
        total = views.new_zeros(*views.shape[:2], height, width)
        for index, angle in enumerate(self.angles_degrees):
            position = column * math.cos(math.radians(angle)) - row * math.sin(math.radians(angle)) + views.shape[-1] // 2
            low = position.floor().clamp(0, views.shape[-1] - 2)
            share = position - low
            view, low = views[:, :, index], low.long()
            total += (1 - share) * view[..., low] + share * view[..., low + 1]
        return total


@lru_cache(maxsize=8)
def _largest_singular_value(size: tuple[int, int], angles_degrees: tuple[float, ...]) -> float:
    """Return ||M|| to six digits, the same on every machine, by Lanczos from a fixed start.

    The recurrence is in double precision: a single view has equal singular values or the start among its singular vectors, and
    single precision then stops with an error on some machines.
    """
    matrix: Any = system_matrix(size, angles_degrees)
    wide = matrix.shape[0] <= matrix.shape[1]
    outer, inner = (matrix, matrix.T.tocsr()) if wide else (matrix.T.tocsr(), matrix)
    count = min(matrix.shape)
    # ||M||^2 is the largest eigenvalue of M M^T or M^T M, whichever is smaller
    gram: Any = LinearOperator((count, count), matvec=lambda v: outer @ (inner @ v.astype(np.float32)), dtype=np.float64)  # pyright: ignore
    values: Any = eigsh(gram, k=1, v0=np.ones(count), tol=1e-6, return_eigenvectors=False)  # pyright: ignore
    return float(f"{math.sqrt(values[0]):.6g}")


def _torch_csr(matrix: sparse.csr_array, device: torch.device | str) -> Tensor:
    with torch.sparse.check_sparse_tensor_invariants(False), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int32)),
            torch.from_numpy(matrix.indices.astype(np.int32)),
            torch.from_numpy(matrix.data),
            matrix.shape,
        ).to(device)
