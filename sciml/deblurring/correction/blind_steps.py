"""The steps that alternate when a kernel is estimated from the picture itself: strong edges, kernel from edges, cleaning."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from skimage.measure import label
from torch import Tensor

from sciml.deblurring.solvers.splitting import masked_admm, shrink_count
from sciml.imaging.operators.convolution import ValidBlur, fast_lengths
from sciml.imaging.operators.kernels import Kernel
from sciml.imaging.priors import Images

Slopes = Float[Tensor, "two height width"]


def strong_edges(y: Images, kernel: Kernel, sigma: float, weight: float, mask: Images, iterations: int = 20) -> Images:
    """Return a piecewise constant image on the canvas, whose few edges explain the picture (Xu, Zheng and Jia, CVPR 2013),

        argmin_x 1/2 ||M (k * x - y)||^2 / sigma^2 + weight #{pixels with D x != 0},

    a rough stationary point: the penalty starts so low that only the strongest edges survive the first steps, which is what
    keeps the alternation away from the blurred picture itself (Levin et al., CVPR 2009).
    """
    physics = ValidBlur(kernel, (y.shape[-2], y.shape[-1]))
    return masked_admm(y, physics, sigma, weight, shrink_count, mask, iterations, penalty=1e-3, growth=1e3)


def slopes(x: Images) -> Slopes:
    """Return the forward differences of one grey image where both exist, one row and one column less."""
    x = x[0, 0]
    return torch.stack([x[1:, :-1] - x[:-1, :-1], x[:-1, 1:] - x[:-1, :-1]])


def positive_kernel(
    x: Images,
    y: Images,
    start: Kernel,
    sigma: float,
    mask: Images,
    share: float = 0.02,
    noise_share: float = 5.0,
    steps: int = 30,
) -> Kernel:
    """Return the kernel without negative values that turns the slopes of an image into those of the picture,

        argmin_(k >= 0) sum_axes ||M (k * D x - D y)||^2 + n (share <|D x|^2> + noise_share sigma^2) ||k||^2,

    n pixels, < > the mean over the image: the ridge follows the evidence, so that it takes neither the picture's size nor its
    contrast to be known, and grows where noise outweighs edges. Only pixels whose neighbourhood lies on the canvas enter (Cho
    and Lee, ACM Trans. Graph. 2009, with the valid region in place of a periodic one). The bound k >= 0 is part of the problem:
    cutting a least-squares kernel of either sign afterwards leaves weight far from the path, and restorations pay for it with
    decibels. Accelerated projected gradients (Beck and Teboulle, SIAM J. Imaging Sci. 2009); each step costs a few transforms.

    Args:
        x: image on the canvas, one grey image.
        y: the picture.
        start: kernel to start from, K x K.
        sigma: standard deviation of the noise of y.
        mask: pixels of y to be believed.
        share: ridge relative to the mean of the diagonal of the normal equations.
        noise_share: ridge relative to n sigma^2.
        steps: number of gradient steps.
    """
    size = start.shape[0]
    edges, target = slopes(x), slopes(y)
    believed = mask[0, 0] > 0
    believed = believed[:-1, :-1] & believed[1:, :-1] & believed[:-1, 1:]
    height, width = target.shape[-2:]
    length = fast_lengths((edges.shape[-2], edges.shape[-1]))
    spectrum = torch.fft.rfft2(edges, s=length)

    def blurred(k: Tensor) -> Tensor:
        full = torch.fft.irfft2(spectrum * torch.fft.rfft2(k, s=length), s=length)
        return full[:, size - 1 : size - 1 + height, size - 1 : size - 1 + width] * believed

    def adjoint(r: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(r * believed, (size - 1, 0, size - 1, 0))
        return torch.fft.irfft2((spectrum.conj() * torch.fft.rfft2(padded, s=length)).sum(0), s=length)[:size, :size]

    pixels = float(believed.sum())
    energy = float(edges.square().sum()) / (edges.shape[-2] * edges.shape[-1])
    ridge = pixels * (share * energy + noise_share * sigma**2)
    # the operator is a part of a circulant one, whose norm is the largest value of its spectrum
    bound = float(spectrum.abs().square().sum(0).max()) + ridge
    wanted = adjoint(target)
    k = ahead = torch.as_tensor(start, dtype=x.dtype)
    momentum = 1.0
    for _ in range(steps):
        slope = adjoint(blurred(ahead)) + ridge * ahead - wanted
        following = (ahead - slope / bound).clamp(min=0)
        larger = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead, k, momentum = following + (momentum - 1) / larger * (following - k), following, larger
    return k.double().numpy()


def cleaned(kernel: Kernel, cut: float = 0.1, blob: float = 0.1) -> Kernel:
    """Return a density of the array: no negative or small values, no small islands, centred to the pixel, sum 1.

    Args:
        kernel: of either sign.
        cut: values below this fraction of the largest become 0.
        blob: connected parts with less than this share of the sum become 0.
    """
    k = np.where(kernel < cut * kernel.max(), 0, np.clip(kernel, 0, None))
    if not k.sum() > 0:
        return point(k.shape[0])
    parts = np.asarray(label(k > 0, connectivity=2))
    shares = np.bincount(parts.ravel(), weights=k.ravel())[1:] / k.sum()
    # the heaviest part always stays
    kept = 1 + np.flatnonzero(shares >= min(blob, shares.max()))
    return centred(k * np.isin(parts, kept))


def centred(kernel: Kernel) -> Kernel:
    """Return the kernel moved by whole pixels to a centre of mass within half a pixel of the middle, with sum 1."""
    k = kernel / kernel.sum()
    for _ in range(3):  # what leaves the support changes the centre of the rest
        offset = np.round(np.array(ndimage.center_of_mass(k)) - k.shape[0] // 2).astype(int)
        if not offset.any():
            break
        k = ndimage.shift(k, -offset, order=0, mode="constant")
        k = k / k.sum()
    return k


def enlarged(kernel: Kernel, size: int, factor: float) -> Kernel:
    """Return the kernel `factor` times as wide, about its middle pixel, on a support of `size` (linear interpolation)."""
    middle, target = kernel.shape[0] // 2, size // 2
    k = ndimage.affine_transform(kernel, np.eye(2) / factor, middle - target / factor, output_shape=(size, size), order=1)
    return k / k.sum()


def point(size: int) -> Kernel:
    """Return the kernel that changes nothing."""
    k = np.zeros((size, size))
    k[size // 2, size // 2] = 1
    return k


def pyramid_sizes(size: int) -> list[int]:
    """Return the odd kernel sizes of the pyramid, finest first: size / sqrt(2)^level down to 3."""
    sizes = [size]
    while sizes[-1] > 3:
        sizes.append(max(3, 2 * int(size / math.sqrt(2) ** len(sizes) / 2) + 1))
    return sizes
