"""Filter banks that are closed under the eight symmetries of the square.

A bank holds the cosine and sine of every non-zero frequency of one or more square windows. Each symmetry g maps filter i to
s_i times filter pi(i), with s_i = +1 or -1. Averaging parameters over the eight symmetries keeps that property while they are
learned: the regulariser then treats mirrored and turned images alike, and its Hessian's bound by the cosine transform is
exact (`sciml.proximal.potentials.symmetric`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

Filters = Float[Tensor, "filter window window"]


def _symmetry(transpose: bool, rows: bool, columns: bool) -> Callable[[Tensor], Tensor]:
    """Return: transpose the last two axes, then reverse rows and columns."""
    axes = [axis for axis, reverse in ((-2, rows), (-1, columns)) if reverse]

    def apply(w: Tensor) -> Tensor:
        w = w.transpose(-1, -2) if transpose else w
        return w.flip(axes) if axes else w

    return apply


_FORMS = [(t, r, c) for t in (False, True) for r in (False, True) for c in (False, True)]
SYMMETRIES = [_symmetry(*form) for form in _FORMS]
# the transpose swaps the two reversals; the other symmetries are their own inverses
INVERSES = [_symmetry(t, c, r) if t else _symmetry(t, r, c) for t, r, c in _FORMS]


def fourier_bank(windows: Sequence[int]) -> Filters:
    """Return the cosine and sine filters of each window, centred in the largest.

    The filters of a window of k x k are cos and sin of 2 pi <n, p> / k times sqrt(2) / k^2, for one of n and -n. Each has
    norm 1/k, and |w(omega)|^2 summed over a window is at most 1.

    Args:
        windows: odd window sizes.
    """
    largest, filters = max(windows), []
    for size in windows:
        radius = size // 2
        axis = np.arange(-radius, radius + 1)
        for row in range(-radius, radius + 1):
            for column in range(-radius, radius + 1):
                if (row, column) <= (0, 0):
                    continue
                phase = 2 * math.pi * (row * axis[:, None] + column * axis[None]) / size
                for wave in (np.cos(phase), np.sin(phase)):
                    filters.append(np.pad(wave * math.sqrt(2) / size**2, largest // 2 - radius))
    return torch.tensor(np.stack(filters), dtype=torch.float32)


@dataclass(frozen=True)
class Closure:
    """How the eight symmetries permute the filters of a bank, and its pairs (cosine, sine).

    Attributes:
        filters: g(w_i) = sign[g, i] * w[filters[g, i]].
        signs: +1 or -1.
        pairs: the pair that pair j is mapped to.
    """

    filters: Int[Tensor, "symmetry filter"]
    signs: Float[Tensor, "symmetry filter"]
    pairs: Int[Tensor, "symmetry pair"]

    @staticmethod
    def of(bank: Filters) -> Closure:
        """Return the closure of a bank of (cosine, sine) pairs by comparing every image with every filter."""
        flat = bank.double().reshape(len(bank), -1)
        unit = flat / flat.norm(dim=1, keepdim=True)
        alike = torch.stack([g(bank).double().reshape(len(bank), -1) for g in SYMMETRIES]) @ unit.T
        best = alike.abs().argmax(-1)
        signs = torch.gather(alike, -1, best[..., None])[..., 0].sign()
        return Closure(best, signs.float(), best[:, ::2] // 2)

    def mean_filters(self, w: Filters) -> Filters:
        """Return the nearest closed bank without its means: w_i <- mean over g of g^-1(s_i w_pi(i))."""
        parts = [
            inverse(sign[:, None, None] * w[place])
            for inverse, place, sign in zip(INVERSES, self.filters, self.signs.to(w), strict=True)
        ]
        closed = torch.stack(parts).mean(0)
        return closed - closed.mean((-1, -2), keepdim=True)

    def mean_pairs(self, values: Tensor) -> Tensor:
        """Return values of one number a pair (last axis), averaged over the symmetries."""
        return values[..., self.pairs].mean(-2)

    def mean_mixing(self, mixing: Float[Tensor, "*other pair filter"]) -> Float[Tensor, "*other pair filter"]:
        """Return M with M[pi(k), pi(i)] = M[k, i]."""
        return mixing[..., self.pairs[:, :, None], self.filters[:, None, :]].mean(-3)
