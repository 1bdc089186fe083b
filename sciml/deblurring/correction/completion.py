"""Complete a kernel that lost pixels: what their neighbours expect, then least squares against the picture.

    k0 = the given k^ on its pixels, EXPECTED times the Gaussian mean of k^ elsewhere,
    k <- argmin over k >= 0, k = 0 away from k^, of
         sum over both axes || D y - k * G x ||^2 + sum over pixels p of ridge_p (k_p - k0_p)^2,     then sum 1,
    ridge_p = KNOWN on pixels of k^,   softness / (k0_p / mean of k^ + FLOOR) elsewhere

in turn with restorations x, as in `sciml.deblurring.correction.refine`. Pixels that are there keep their proportions; one that is
missing may be the brighter the more light is around it, so that what is found follows the trajectory. How far the picture is
believed against the neighbours, the softness, is a matter of its edges and noise: both are tried, and held-out pixels choose.

A kernel has gaps where dark pixels lie between bright ones on opposite sides,

    gaps = sum over dark pixels p of max over the four directions d of min(k^(p + d), k^(p - d)),

at least GAPS in nearly all camera shakes that lost 30 % of their pixels, and below it in most that are whole.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import linalg, ndimage, optimize
from torch import Tensor

from sciml.deblurring.correction.refine import FAINT, normal_equations, without_faint
from sciml.deblurring.solvers.image import natural_weight
from sciml.deblurring.solvers.tv import Canvas, total_variation
from sciml.imaging.operators.kernels import Kernel

SOFTNESS, GAPS = (3.0, 10.0), 0.06
KNOWN, FLOOR = 50.0, 0.1
# of the mean over neighbours, missing ones counted as dark: with a third of them missing that mean is so much too small
EXPECTED, WIDTH, REACH = 1.5, 0.8, 2
# of total variation, in units of the last weight
WEIGHTS = (5.0, 3.0, 2.0, 1.5, 1.0, 1.0)


def has_gaps(kernel: Kernel) -> bool:
    """Say whether pixels seem to be missing from a kernel of sum 1."""
    padded, found = np.pad(kernel, 1), np.zeros(kernel.shape)
    rows, columns = kernel.shape
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        ahead, behind = (
            padded[1 + sign * down : 1 + sign * down + rows, 1 + sign * right : 1 + sign * right + columns] for sign in (1, -1)
        )
        found = np.maximum(found, np.minimum(ahead, behind))
    return float(found[kernel < FAINT * kernel.max()].sum()) >= GAPS


def completions(y: Float[Tensor, "1 1 height width"], kernel: Kernel, sigma: float, mask: Tensor | None = None) -> list[Kernel]:
    """Return the completed kernels, one a softness, of the size of the given one.

    Args:
        y: luminance, linear light.
        kernel: the given one.
        sigma: standard deviation of the noise of y.
        mask: 1 where pixels are trusted.
    """
    present = kernel >= FAINT * kernel.max()
    around = np.asarray(ndimage.binary_dilation(present, np.ones((3, 3)), iterations=REACH), bool)
    start = without_faint(np.where(present, kernel, EXPECTED * ndimage.gaussian_filter(kernel * present, WIDTH, mode="constant")))
    return [_completed(y, start, present, around, softness, sigma, mask) for softness in SOFTNESS]


def _completed(
    y: Tensor, start: Kernel, present: np.ndarray, around: np.ndarray, softness: float, sigma: float, mask: Tensor | None
) -> Kernel:
    ridge = np.where(present, KNOWN, softness / (start / start[present].mean() + FLOOR))[around]
    found, image = start, None
    for factor in WEIGHTS:
        canvas = Canvas.of(y, found, mask)
        solution = total_variation(canvas, factor * natural_weight(found, sigma), 25, start=image)
        image = solution.x
        normal, right = normal_equations(canvas.crop(image)[0, 0], y[0, 0], len(found), mask, around)
        strength = ridge * np.trace(normal) / len(normal)
        normal[np.diag_indices_from(normal)] += strength
        # of the mass that pixels of the given kernel have now, so that they are held to their proportions alone
        right += strength * start[around] * (found[present].sum() / start[present].sum())
        # min || L^T k - L^-1 right || over k >= 0 with normal = L L^T
        factored = linalg.cholesky(normal, lower=True)
        solved, _ = optimize.nnls(factored.T, linalg.solve_triangular(factored, right, lower=True))
        whole = np.zeros_like(found)
        whole[around] = solved
        found = without_faint(whole)
    return found
