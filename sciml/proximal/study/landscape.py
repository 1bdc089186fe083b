"""The learned prior along corruptions: how R rises from clean pictures to noisy, blurred and mixed ones.

    noise     x + s n, n standard normal and the same field for every s
    blur      g_w * x, g_w a Gaussian of standard deviation w pixels, integrated over each pixel
    mixing    (1 - t) x + t x', two pictures superimposed

A prior that knows its pictures rises along the first two and has a hump along the third (Fang, Buchanan and Sulam, ICLR 2024,
section 4). R is known up to a constant, so differences and ranks count, not values:

    AUROC = P(R(corrupt) > R(clean)) + 1/2 P(equal),  one from either set at random
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from sciml.proximal.networks.network import Images, LearnedProximalNetwork, PriorValues, Sigma
from sciml.proximal.study.prior_results import Humps, Landscape
from sciml.runtime.errors import ConfigError, ShapeError

Boundary = Literal["zero", "reflect"]


@dataclass(frozen=True)
class Path:
    """R along one corruption.

    Attributes:
        levels: strength of the corruption, ascending.
        values: R, one row a level and one column a picture; +inf outside the range of f.
        outside: whether no y with f(y) = x was found.
    """

    levels: tuple[float, ...]
    values: Float[Tensor, "level batch"]
    outside: Bool[Tensor, "level batch"]

    def table(self) -> Landscape:
        """Return levels, quartiles, whether the median rises strictly, and how many pictures rise at every step."""
        low, median, high = (row.tolist() for row in quartiles(self.values))
        steps = self.values[1:] > self.values[:-1]
        return Landscape(
            levels=self.levels,
            lower_quartile=low,
            median=median,
            upper_quartile=high,
            median_rises_strictly=all(after > before for before, after in pairwise(median)),
            share_rising_at_each_step=steps.double().mean(1).tolist(),
            share_rising_throughout=float(steps.all(0).double().mean()),
            share_outside=self.outside.double().mean(1).tolist(),
        )


def along(
    network: LearnedProximalNetwork,
    levels: Sequence[float],
    corrupt: Callable[[float], Images],
    sigma: Sigma | None = None,
    per_pixel: bool = False,
    known: Mapping[float, PriorValues] | None = None,
) -> Path:
    """Return R of `corrupt(level)` for each level.

    Args:
        network: whose R.
        levels: strengths, ascending.
        corrupt: strength -> pictures, as many each time.
        sigma: noise level of R; the network's own by default.
        per_pixel: divide R by the number of values of a picture.
        known: R of levels that need not be computed again.

    Raises:
        ConfigError: levels do not ascend.
    """
    if not levels or any(after <= before for before, after in pairwise(levels)):
        raise ConfigError(f"the levels of a corruption must ascend, got {list(levels)}")
    found = []
    for level in levels:
        x = corrupt(level)
        one = known[level] if known and level in known else network.prior_values(x, sigma)
        found.append((one.value.double() / (x[0].numel() if per_pixel else 1), one.outside))
    return Path(tuple(levels), torch.stack([value for value, _ in found]), torch.stack([outside for _, outside in found]))


def noisy(x: Images, field: Images, level: float, clip: bool = False) -> Images:
    """Return x + level n for a standard normal field n; `clip` brings it back to [0, 1] as the published study does."""
    y = x + level * field
    return y.clamp(0, 1) if clip else y


def blurred(x: Images, width: float, boundary: Boundary = "reflect") -> Images:
    """Return x blurred by a Gaussian of `width` pixels integrated over each pixel, cut at four widths.

        g(k) = Phi((k + 1/2) / width) - Phi((k - 1/2) / width), scaled to sum 1

    Unlike samples of the Gaussian these weights mean something for widths below half a pixel.

    Args:
        x: pictures.
        width: standard deviation in pixels; 0 gives `x`.
        boundary: what lies beyond the border: zeros, or the picture reflected at its edge pixels' outer sides.

    Raises:
        ConfigError: negative width.
        ShapeError: the kernel is longer than a reflected picture.
    """
    if not 0 <= width < math.inf:
        raise ConfigError(f"the blur is {width} pixels wide, expected 0 or more")
    if width == 0:
        return x.clone()
    reach = max(1, math.ceil(4 * width))
    if boundary == "reflect" and reach > min(x.shape[-2:]):
        raise ShapeError(f"a blur of {width:g} pixels reaches {reach} pixels, more than a picture of {tuple(x.shape[-2:])} has")
    edges = (torch.arange(-reach, reach + 2, dtype=torch.float64) - 0.5) / width
    kernel = torch.special.ndtr(edges).diff()
    kernel = (kernel / kernel.sum()).to(x)
    for axis in (-2, -1):
        x = _filtered(x.transpose(axis, -1), kernel, boundary).transpose(axis, -1)
    return x


def _filtered(x: Images, kernel: Float[Tensor, " taps"], boundary: Boundary) -> Images:
    """Return the rows of x filtered; half-sample reflection repeats the edge pixel."""
    reach = len(kernel) // 2
    if boundary == "reflect":
        padded = torch.cat([x[..., :reach].flip(-1), x, x[..., -reach:].flip(-1)], -1)
    else:
        padded = F.pad(x, (reach, reach))
    rows = F.conv1d(padded.reshape(-1, 1, padded.shape[-1]), kernel[None, None])
    return rows.reshape(x.shape)


def mixed(x: Images, partner: Images, share: float) -> Images:
    """Return (1 - share) x + share partner."""
    return (1 - share) * x + share * partner


def humps(path: Path) -> Humps:
    """Return what the path of a mixing says about convexity: a convex R is never above its chord.

    Raises:
        ConfigError: no level 0, 1/2 or 1.
    """
    if not {0.0, 0.5, 1.0} <= set(path.levels):
        raise ConfigError(f"a hump needs the shares 0, 0.5 and 1, got {list(path.levels)}")
    first, middle, last = (path.values[path.levels.index(share)] for share in (0.0, 0.5, 1.0))
    return Humps(
        above_chord=float((middle > (first + last) / 2).double().mean()),
        above_ends=float((middle > torch.maximum(first, last)).double().mean()),
        top_in_middle=float((path.values.argmax(0) == path.levels.index(0.5)).double().mean()),
    )


def auroc(clean: Float[Tensor, " n"], corrupt: Float[Tensor, " m"]) -> float:
    """Return the area under the receiver operating characteristic of the score that calls large values corrupt.

    1/2 means that the score knows nothing, 1 that every corrupt picture scores above every clean one. Infinite scores count as
    largest.

    Raises:
        ShapeError: a set is empty or no vector.
        ConfigError: a score is NaN.
    """
    if clean.ndim != 1 or corrupt.ndim != 1 or 0 in (len(clean), len(corrupt)):
        raise ShapeError(f"AUROC compares two sets of scores, got shapes {tuple(clean.shape)} and {tuple(corrupt.shape)}")
    if bool(clean.isnan().any() or corrupt.isnan().any()):
        raise ConfigError("AUROC: a score is NaN")
    larger = (corrupt[:, None] > clean[None]).double() + 0.5 * (corrupt[:, None] == clean[None]).double()
    return float(larger.mean())


def quartiles(values: Float[Tensor, "level batch"]) -> Float[Tensor, "quartile level"]:
    """Return the lower quartile, the median and the upper quartile of each row, infinite values among them."""
    ordered = values.sort(1).values
    last = ordered.shape[1] - 1
    rows = []
    for share in (0.25, 0.5, 0.75):
        below, above = ordered[:, math.floor(share * last)], ordered[:, math.ceil(share * last)]
        # inf - inf would be NaN
        weight = share * last - math.floor(share * last)
        rows.append(torch.where(below == above, below, below + weight * (above - below)))
    return torch.stack(rows)
