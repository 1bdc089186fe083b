"""The steps that alternate when a kernel is estimated from the picture itself: strong edges, kernel from edges, cleaning."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage, sparse
from skimage.measure import label
from torch import Tensor

from sciml.deblurring.solvers.splitting import masked_admm, shrink_count
from sciml.imaging.operators.convolution import ValidBlur, fast_lengths
from sciml.imaging.operators.kernels import Kernel
from sciml.imaging.priors import Images

POWERS, MARGIN = 5, 1.1
Slopes = Float[Tensor, "tiles two height width"]
Weights = Float[np.ndarray, " weights"]
Density = Float[np.ndarray, "*shape"]


def strong_edges(y: Images, kernel: Kernel, sigma: float, weight: float, mask: Images, iterations: int = 20) -> Images:
    """Return a piecewise constant image on the canvas, whose few edges explain the picture (Xu, Zheng and Jia, CVPR 2013),

        argmin_x 1/2 ||M (k * x - y)||^2 / sigma^2 + weight #{pixels with D x != 0},

    a rough stationary point: the penalty starts so low that only the strongest edges survive the first steps, which is what
    keeps the alternation away from the blurred picture itself (Levin et al., CVPR 2009).
    """
    physics = ValidBlur(kernel, (y.shape[-2], y.shape[-1]))
    return masked_admm(y, physics, sigma, weight, shrink_count, mask, iterations, penalty=1e-3, growth=1e3)


def slopes(x: Images) -> Slopes:
    """Return the forward differences of grey images where both exist, one row and one column less."""
    corner = x[..., :-1, :-1]
    return torch.cat([x[..., 1:, :-1] - corner, x[..., :-1, 1:] - corner], 1)


def positive_weights(
    x: Images,
    y: Images,
    start: Weights,
    drawn: sparse.csr_matrix,
    sigma: float,
    mask: Images,
    share: float = 0.02,
    noise_share: float = 5.0,
    steps: int = 40,
) -> Weights:
    """Return the weights without negative values whose kernels turn the slopes of images into those of pictures,

        argmin_(w >= 0) sum_tiles sum_axes ||M (k * D x - D y)||^2 + n (share <|D x|^2> + noise_share sigma^2) ||k||^2,

    k = B w, n pixels a tile, < > the mean over the images: the ridge follows the evidence, so that it takes neither the
    picture's size nor its contrast to be known, and grows where noise outweighs edges. Only pixels whose neighbourhood lies on
    the canvas enter (Cho and Lee, ACM Trans. Graph. 2009, with the valid region in place of a periodic one). The bound w >= 0 is
    part of the problem: cutting a least-squares kernel of either sign afterwards leaves weight far from the path, and
    restorations pay for it with decibels. Accelerated projected gradients (Beck and Teboulle, SIAM J. Imaging Sci. 2009); each
    step costs a few transforms.

    Args:
        x: images of the tiles on their canvases, grey.
        y: the tiles of the picture.
        start: weights to start from.
        drawn: B, (tiles * K * K, weights): the kernels of all tiles, one below the other.
        sigma: standard deviation of the noise of y.
        mask: pixels of y to be believed.
        share: ridge relative to the mean of the diagonal of the normal equations.
        noise_share: ridge relative to n sigma^2.
        steps: number of gradient steps.
    """
    count, size = len(x), x.shape[-1] - y.shape[-1] + 1
    edges, target = slopes(x), slopes(y)
    believed = mask > 0
    believed = believed[..., :-1, :-1] & believed[..., 1:, :-1] & believed[..., :-1, 1:]
    height, width = target.shape[-2:]
    length = fast_lengths((edges.shape[-2], edges.shape[-1]))
    spectrum = torch.fft.rfft2(edges, s=length)

    def adjoint(r: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(r * believed, (size - 1, 0, size - 1, 0))
        return torch.fft.irfft2((spectrum.conj() * torch.fft.rfft2(padded, s=length)).sum(1), s=length)[:, :size, :size]

    def normal(k: Tensor) -> Tensor:
        full = torch.fft.irfft2(spectrum * torch.fft.rfft2(k[:, None], s=length), s=length)
        return adjoint(full[..., size - 1 : size - 1 + height, size - 1 : size - 1 + width] * believed) + ridge * k

    energy = float(edges.square().sum()) / (count * edges.shape[-2] * edges.shape[-1])
    ridge = float(believed.sum()) / count * (share * energy + noise_share * sigma**2)
    gathered = drawn.T.tocsr()

    def applied(w: Weights) -> Weights:
        k = torch.from_numpy(drawn @ w).to(x).reshape(count, size, size)
        return gathered @ normal(k).double().numpy().ravel()

    # the largest eigenvalue by power iteration; bounds by the norms of the factors are 9 to 40 times as large
    vector, bound = np.ones(len(start)), 0.0
    for _ in range(POWERS):
        vector = applied(vector)
        bound = float(np.linalg.norm(vector))
        vector /= bound
    wanted = gathered @ adjoint(target).double().numpy().ravel()
    w = ahead = start
    momentum = 1.0
    for _ in range(steps):
        following = np.clip(ahead - (applied(ahead) - wanted) / (MARGIN * bound), 0, None)
        larger = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead, w, momentum = following + (momentum - 1) / larger * (following - w), following, larger
    return w


def cleaned(weights: Density, cut: float = 0.1, blob: float = 0.1) -> Density:
    """Return a density of the array, a kernel or one of poses: no small values, no small islands, centred to the pixel, sum 1.

    Args:
        weights: not negative.
        cut: values below this fraction of the largest become 0.
        blob: connected parts with less than this share of the sum become 0.
    """
    w = np.where(weights < cut * weights.max(), 0, weights)
    if not w.sum() > 0:
        return point(w.shape)
    parts = np.asarray(label(w > 0))
    shares = np.bincount(parts.ravel(), weights=w.ravel())[1:] / w.sum()
    # the heaviest part always stays
    kept = 1 + np.flatnonzero(shares >= min(blob, shares.max()))
    return centred(w * np.isin(parts, kept))


def centred(weights: Density) -> Density:
    """Return the array moved by whole pixels to a centre of mass within half a pixel of the middle, with sum 1."""
    w = weights / weights.sum()
    middle = np.array(w.shape) // 2
    for _ in range(3):  # what leaves the support changes the centre of the rest
        offset = np.round(np.array(ndimage.center_of_mass(w)) - middle).astype(int)
        if not offset.any():
            break
        w = ndimage.shift(w, -offset, order=0, mode="constant")
        w = w / w.sum()
    return w


def enlarged(weights: Density, shape: tuple[int, ...], factor: float) -> Density:
    """Return the array `factor` times as wide about its middle (linear interpolation), but along axes of one element."""
    factors = np.array([factor if length > 1 else 1.0 for length in shape])
    middle, target = np.array(weights.shape) // 2, np.array(shape) // 2
    offset: Any = middle - target / factors
    w = ndimage.affine_transform(weights, np.diag(1 / factors), offset, output_shape=shape, order=1)
    return w / w.sum()


def point(shape: tuple[int, ...]) -> Density:
    """Return the density that changes nothing."""
    w = np.zeros(shape)
    w[tuple(length // 2 for length in shape)] = 1
    return w


def pyramid_sizes(size: int) -> list[int]:
    """Return the odd kernel sizes of the pyramid, finest first: size / sqrt(2)^level down to 3."""
    sizes = [size]
    while sizes[-1] > 3:
        sizes.append(max(3, 2 * int(size / math.sqrt(2) ** len(sizes) / 2) + 1))
    return sizes
