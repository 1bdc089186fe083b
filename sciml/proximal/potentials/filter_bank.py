"""One level of a learned regulariser: responses of filters, their energies in groups, and potentials of these.

    t = W P u,   q = M (t * t),   value = sum over groups and positions of phi(q),   gradient = P^T W^T ( (M^T 2 phi'(q)) * t )

P extends an image symmetrically (`sciml.proximal.potentials.symmetric`), W are its filters, M mixes energies into groups. With a
`stretch` s > 0 for each position, phi(q) becomes phi(s q) / s there: both thresholds are divided by sqrt(s), every slope and
curvature keeps its range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sciml.proximal.potentials import symmetric

Images = Float[Tensor, "batch channel height width"]
# responses that are held at a time on a processor, 2 MB in float32: more leave its cache, and a gradient takes twice as long
AT_ONCE = 1 << 19


@dataclass(frozen=True)
class FilterBank:
    """One level with everything computed that depends on the noise levels and not on the images."""

    filters: Float[Tensor, "channel filter window window"]
    mixing: Float[Tensor, "group all_filters"]
    nu: Float[Tensor, "batch group 1"]
    eta: Float[Tensor, "batch group 1"]
    inverse_tau: Float[Tensor, "batch group 1"]
    inverse_tail: Float[Tensor, "batch group 1"]
    correlations: Float[Tensor, "channel filter lag lag"]
    stretch: Float[Tensor, "batch group rows columns"] | None = field(default=None, kw_only=True)

    def respond(self, u: Images, period: tuple[int, int]) -> Float[Tensor, "batch vector all_filters position"]:
        """Return t = W P u, P the symmetric extension; `vector` counts the images that share their groups."""
        rows, columns = self._extensions(u, period)
        return self._filtered((rows @ u @ columns.T).unflatten(1, (-1, self.filters.shape[0])))

    def gather(self, t: Tensor, period: tuple[int, int], size: tuple[int, int]) -> Images:
        """Return the adjoint P^T W^T t."""
        full = self._spread(t, size)
        rows, columns = self._extensions(full, period)
        return rows.T @ full.flatten(1, 2) @ columns

    def _filtered(self, extended: Float[Tensor, "batch vector channel rows columns"]) -> Tensor:
        """Return W of extended images at all positions where the whole window lies on them."""
        channels, count, window = self.filters.shape[:3]
        filters = self.filters.reshape(channels * count, 1, window, window)
        t = F.conv2d(extended.flatten(0, 1), filters, groups=channels)
        return t.reshape(*extended.shape[:2], channels * count, -1)

    def _spread(self, t: Tensor, size: tuple[int, int]) -> Float[Tensor, "batch vector channel rows columns"]:
        """Return W^T t; much faster as one product and a fold than as a transposed convolution."""
        channels, count, window = self.filters.shape[:3]
        patches = self.filters.reshape(channels, count, -1).transpose(1, 2) @ t.reshape(-1, channels, count, t.shape[-1])
        full = F.fold(patches.flatten(1, 2), (size[0] + window - 1, size[1] + window - 1), window)
        return full.unflatten(0, t.shape[:2])

    def _extensions(self, like: Tensor, period: tuple[int, int]) -> tuple[Tensor, Tensor]:
        radius = self.filters.shape[-1] // 2
        rows, columns = (symmetric.extension(n, radius, like.dtype, str(like.device)) for n in period)
        return rows, columns

    def energies(self, t: Tensor) -> Float[Tensor, "batch group position"]:
        """Return q = M (t * t), summed over the images that share their groups."""
        squared = t.square()
        return self.mixing @ (squared[:, 0] if t.shape[1] == 1 else squared.sum(1))

    def value_and_gradient(self, u: Images, period: tuple[int, int], with_value: bool) -> tuple[Float[Tensor, " batch"], Images]:
        """Return the sum of phi(q) over groups and positions (zeros without `with_value`) and its gradient in u.

        Images and bands of rows are computed one after the other: their responses then fit the processor's cache.
        """
        channels, count, window = self.filters.shape[:3]
        rows, columns = self._extensions(u, period)
        extended = (rows @ u @ columns.T).unflatten(1, (-1, channels))
        value, full = u.new_zeros(len(u)), torch.zeros_like(extended)
        counted = symmetric.multiplicities(period, u)
        for images, top, bottom in _bands(u, extended.shape[1] * channels * count):
            here, seen = self.of(images, top, bottom), (images, slice(None), slice(None), slice(top, bottom + window - 1))
            weights = 1.0 if counted is None else counted[top:bottom].flatten()
            t = self._filtered(extended[seen])
            q = here.energies(t)
            if with_value:
                value[images] += (here.potential(q) * weights).sum((1, 2))
            force = t * (self.mixing.T @ (here.slope(q) * weights)).unsqueeze(1)
            full[seen] += self._spread(force, (bottom - top, u.shape[-1]))
        return value, rows.T @ full.flatten(1, 2) @ columns

    def of(self, images: slice, top: int, bottom: int) -> FilterBank:
        """Return the level at the noise levels of some images of the batch, for the positions of some rows."""
        changes = {}
        if len(self.nu) > 1:
            shared = ("filters", "mixing", "correlations", "stretch")
            changes = {f.name: getattr(self, f.name)[images] for f in fields(self) if f.name not in shared}
        if self.stretch is not None:
            changes["stretch"] = self.stretch[images if len(self.stretch) > 1 else slice(None), :, top:bottom]
        return replace(self, **changes) if changes else self

    def potential(self, q: Tensor) -> Tensor:
        """Return phi(q), written so that nothing cancels for small q: tau^2 (sqrt(1 + z) - 1) = q / (1 + sqrt(1 + z))."""
        at = self.stretched(q)
        convex = self.nu / (1 + (1 + at * self.inverse_tau).sqrt())
        return q * (convex - self.eta / (1 + (1 + at * self.inverse_tail).sqrt()))

    def slope(self, q: Tensor) -> Tensor:
        """Return 2 phi'(q) = nu (1 + q / tau^2)^(-1/2) - eta (1 + q / tau'^2)^(-1/2)."""
        at = self.stretched(q)
        return self.nu * torch.rsqrt(1 + at * self.inverse_tau) - self.eta * torch.rsqrt(1 + at * self.inverse_tail)

    def slope_and_bend(self, q: Tensor) -> tuple[Tensor, Tensor]:
        """Return 2 phi'(q) and its derivative in q."""
        at = self.stretched(q)
        first, second = torch.rsqrt(1 + at * self.inverse_tau), torch.rsqrt(1 + at * self.inverse_tail)
        bend = -0.5 * (self.nu * self.inverse_tau * first**3 - self.eta * self.inverse_tail * second**3)
        return self.nu * first - self.eta * second, self.stretched(bend)

    def stretched(self, values: Tensor) -> Tensor:
        """Return the values of each group and position times their stretch."""
        return values if self.stretch is None else values * self.stretch.flatten(2)

    def symbol(self, coefficients: Tensor, frequencies: tuple[Tensor, Tensor]) -> Float[Tensor, "batch channel rows columns"]:
        """Return sum_i (M^T c)_i |w_i(w)|^2 for each channel, from the filters' autocorrelations."""
        channels, count = self.filters.shape[:2]
        weights = (coefficients[..., 0] @ self.mixing).reshape(-1, channels, count)
        lags = torch.einsum("bci,cixy->bcxy", weights, self.correlations)
        degree = self.filters.shape[-1] - 1
        return symmetric.cosines(frequencies[0], degree) @ lags @ symmetric.cosines(frequencies[1], degree).T


def _bands(u: Images, responses: int) -> Iterator[tuple[slice, int, int]]:
    """Yield (images, first row, end row) that hold at most AT_ONCE responses each; all at once on a GPU or with a graph."""
    height, width = u.shape[-2:]
    if u.is_cuda or torch.is_grad_enabled():
        yield slice(0, len(u)), 0, height
        return
    together = max(1, AT_ONCE // (responses * height * width))
    rows = -(-height // -(-height * width * responses // AT_ONCE))
    for first in range(0, len(u), together):
        for top in range(0, height, rows):
            yield slice(first, min(first + together, len(u))), top, min(top + rows, height)
