"""Atrophy with prescribed volumes: labels carried by a flow whose divergence is chosen in their own span.

Labels p_L (fractions of a voxel, summing to 1 in the skull M) move with a velocity v that is closed at the skull:

    (1)  d p_L / dt + v . grad p_L = 0,   hence   d V_L / dt = int p_L div v,   V_L = int p_L

Volumes V_L that change by b_L a unit of time are reached with a divergence in the span of the labels (Galerkin):

    (2)  div v = a = sum_K c_K p_K,   G c = b,   G_LK = int p_L p_K

The fluid takes the balance, b_csf = - sum of the others; since the labels sum to 1, int a = sum b = 0, which is what a closed
skull can have. v is the gradient flow of `neumann`: among all flows with this divergence the one of least energy.

A pattern g_K(y), local rates that volumes do not tell, is a function of place at the start and moves with the tissue. The fluid
nearby answers to it: with S a Gaussian mean, which is its own adjoint,

    (3)  d = sum_K p_K g_K (K all but the fluid),   q = d - p_csf S[d / S p_csf],
         div v = sum_K c_K p_K + q + sum_K e_K p_K + sum_i f_i x_i p_csf,   G c = b

with e and f such that all behind c gives no region a volume and has no first moment: int p_L (...) = 0, int x_i (...) = 0. So
int p_L a = b_L as before, and since int v = - int x div v within closed walls, a pattern does not push the brain about.

A step of unit length carries the map from the present back to the start,

    (4)  y(x) <- y(x - v(x - v(x)/2)),

and labels and images are always looked up at y in the start's anatomy, so nothing blurs with time. What a step misses of its
goals is added to b and the step is made again: first (2) holds for an infinitesimal step only, second labels on a grid are
interpolated. Where the map would fold between two voxels, as it can in pockets of the skull, its shift is averaged over the
neighbours before that. A step that fails all the same is made in two halves, and with p_K w in place of p_K in all sources: w
falls from 1 to 0 where a place has grown much, between 2.5 and ten times, and could soon fold. b is reached exactly all the
same. Lengths are voxels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sciml.progression.simulation.anatomy import nearest_inside
from sciml.progression.simulation.neumann import ClosedDomain, Faces
from sciml.progression.simulation.sampling import sampled
from sciml.runtime.errors import NumericalError

Lookup = Callable[[np.ndarray], np.ndarray]
"""Points (3, n) of the start's anatomy in voxels -> label fractions (regions, n) there, the last one the balance."""
Pattern = Callable[[np.ndarray], np.ndarray]
"""Points (3, n) of the start's anatomy in voxels -> g, (regions without the last, n): local change of ln V beside c."""

# a map is smoothed where one of its corners has less
LEAST_DETERMINANT = 0.02
# between these determinants of the way back a place is spared, after a step that failed
SPARED, SPARED_DETERMINANT = (0.1, 0.4), 0.002
# a step that fails is halved so often at most
HALVINGS = 4
# share of fluid nearby below which a pattern is not answered there
LEAST_FLUID = 0.05


@dataclass(frozen=True)
class StepSettings:
    """How finely time is cut.

    Attributes:
        log_change: largest |change of ln V| of any region in one step.
        tolerance: of each volume at the end of a step, in parts of it.
        corrections: repetitions of a step at most.
        solver_tolerance: of the flow's divergence.
        balance_voxels: width of S of (3).
    """

    log_change: float = 0.2
    tolerance: float = 5e-4
    corrections: int = 12
    solver_tolerance: float = 1e-4
    balance_voxels: float = 2.5


class Atrophy:
    """One skull with what it holds; `advance` moves its volumes.

    Args:
        mask: bool (D, H, W), the skull's content M, connected.
        lookup: the labels of the start's anatomy as a function of place.
        settings: of the steps.

    Attributes:
        back: (3, D, H, W), for every voxel the place at the start of what is there now.
        labels: (regions, voxels of the mask), now.
    """

    def __init__(self, mask: np.ndarray, lookup: Lookup, settings: StepSettings | None = None) -> None:
        self.mask = mask
        self.settings = settings or StepSettings()
        self._lookup = lookup
        self._domain = ClosedDomain(mask)
        self._points = np.argwhere(mask).T.astype(np.float64)
        self._nearest = nearest_inside(mask)
        self.back = np.indices(mask.shape, dtype=np.float64)
        self.labels = lookup(self._points)
        self._spared: np.ndarray | float = 1.0

    @property
    def volumes(self) -> np.ndarray:
        """Return V, the volume of each region in voxels, (regions,)."""
        return self.labels.sum(axis=1)

    def advance(self, goals: Sequence[float] | np.ndarray, pattern: Pattern | None = None) -> None:
        """Move all volumes but the last one to their goals, along straight lines of ln V.

        Args:
            goals: volumes in voxels, one a region without the last, which takes the balance.
            pattern: g of (3) for the whole way.

        Raises:
            NumericalError: a goal is not reached: it needs more than the skull holds.
        """
        goals = np.asarray(goals, dtype=np.float64)
        begun = self.volumes[:-1]
        logs = np.log(goals / begun)
        if not np.any(logs) and pattern is None:
            return
        steps = max(1, int(np.ceil(np.abs(logs).max() / self.settings.log_change)))
        for step in range(1, steps + 1):
            self._reach(begun * np.exp(logs * (step / steps)), pattern, 1 / steps, HALVINGS)

    def _reach(self, goals: np.ndarray, pattern: Pattern | None, share: float, halvings: int) -> None:
        """Make a step, a share of the whole way; in two halves, which spare what grew much, where that fails."""
        if not isinstance(self._spared, float):
            self._spared = self._calm_places()
        try:
            self._step(goals, pattern, share)
        except NumericalError:
            # w of the sources, from now on
            self._spared = self._calm_places()
            if not halvings:
                raise
            halfway = np.sqrt(goals * self.volumes[:-1])
            self._reach(halfway, pattern, share / 2, halvings - 1)
            self._reach(goals, pattern, share / 2, halvings - 1)

    def _step(self, goals: np.ndarray, pattern: Pattern | None, share: float) -> None:
        change, flow = goals - self.volumes[:-1], self._domain.still()
        extra = None if pattern is None else self.answered(share * pattern(self.back[:, self.mask]))
        calm: list[np.ndarray] = []
        response = _Response(goals)
        for attempt in range(self.settings.corrections + 1):
            # the flow is linear in b: a correction needs no new solution of the whole, and a rough one of its small part
            if attempt == 0:
                part = self._domain.solve(self.source(change, extra), self.settings.solver_tolerance)
            else:
                part = self._domain.solve(self.source(change), 1e-2)
            flow = add_faces(flow, part.faces)
            back = self._calmed(self._carry(flow), calm)
            labels = self._lookup(back[:, self.mask])
            missed = goals - labels.sum(axis=1)[:-1]
            change = response.correction(change, missed)
            if np.abs(missed / goals).max() > self.settings.tolerance:
                continue
            spared = not isinstance(self._spared, float)
            folded = folds(back, self.mask, SPARED_DETERMINANT if spared else LEAST_DETERMINANT)
            if not folded.any():
                self.back, self.labels = back, labels
                return
            if calm and spared:
                folded = ndimage.binary_dilation(folded, np.ones((3, 3, 3), bool), iterations=len(calm))
            calm.append(folded)
        worst = float(np.abs(missed / goals).max())
        raise NumericalError(
            f"a step misses its volumes by {100 * worst:.2g} %, or folds, after {self.settings.corrections} corrections; allowed "
            f"{100 * self.settings.tolerance:g} %, and a change of ln V of {self.settings.log_change / 2**HALVINGS:.2g} is the "
            "least step: ask for less"
        )

    def _calmed(self, back: np.ndarray, places: list[np.ndarray]) -> np.ndarray:
        """Return the map with its shift averaged over the neighbours, once for each of some places; it folded there."""
        if not places:
            return back
        grid = np.indices(self.mask.shape)
        shift, weight = back - grid, ndimage.uniform_filter(self.mask.astype(float), 3)
        for place in places:
            mean = np.stack([ndimage.uniform_filter(axis * self.mask, 3) for axis in shift]) / np.maximum(weight, 1e-9)
            shift = np.where(place & self.mask, mean, shift)
        return shift[(slice(None), *self._nearest)] + grid

    def source(self, change: np.ndarray, extra: np.ndarray | None = None) -> np.ndarray:
        """Return a of (3) on the grid, for the change of each volume but the last a unit of time, in voxels.

        Args:
            change: b, (regions without the last,).
            extra: q, (voxels of the mask,); without it a is that of (2).
        """
        bases = self._spared * self.labels
        weights = np.linalg.solve(bases @ self.labels.T, np.append(change, -change.sum()))
        source = np.zeros(self.mask.shape)
        source[self.mask] = weights @ bases
        if extra is not None:
            # e and f: int p_L (q + ...) = 0, int x_i (q + ...) = 0
            places = self._points - self._points.mean(axis=1, keepdims=True)
            tests, fields = np.vstack([self.labels, places]), np.vstack([bases, places * bases[-1]])
            extra = self._spared * extra
            source[self.mask] += extra - np.linalg.solve(tests @ fields.T, tests @ extra) @ fields
        return source

    def _calm_places(self) -> np.ndarray:
        """Return w, (voxels of the mask,)."""
        least = np.ones(self.mask.shape)
        inner = least[1:-1, 1:-1, 1:-1]
        for values, valid in corner_determinants(self.back, self.mask):
            np.minimum(inner, np.where(valid, values, 1.0), out=inner)
        low, high = SPARED
        return np.clip((ndimage.minimum_filter(least, 3)[self.mask] - low) / (high - low), 0, 1)

    def answered(self, pattern: np.ndarray) -> np.ndarray:
        """Return q of (3), what a pattern gains at each place and the fluid nearby loses, (voxels of the mask,).

        Args:
            pattern: g here and now, (regions without the last, voxels of the mask).
        """
        fluid, gained = self.labels[-1], np.einsum("kn,kn->n", self.labels[:-1], pattern)
        # d - p_csf S[d / S p_csf]
        return gained - fluid * self._mean(gained / np.maximum(self._mean(fluid), LEAST_FLUID))

    def _mean(self, values: np.ndarray) -> np.ndarray:
        field = np.zeros(self.mask.shape)
        field[self.mask] = values
        return ndimage.gaussian_filter(field, self.settings.balance_voxels, mode="constant", truncate=3.0)[self.mask]

    def _carry(self, flow: Faces) -> np.ndarray:
        # (4); outside the skull the map continues as at the nearest voxel inside, so that its rim is not mixed with what stands
        half = self._points - 0.5 * sample_faces(flow, self._points)
        origin = self._points - sample_faces(flow, half)
        shift = sampled(self._shifts(), origin)
        moved = np.zeros_like(self.back)
        moved[:, self.mask] = shift + origin - self._points
        return moved[(slice(None), *self._nearest)] + np.indices(self.mask.shape)

    def _shifts(self) -> np.ndarray:
        # of the map, not the map itself: a clamped look-up beyond the box then keeps moving with the point
        return np.ascontiguousarray(np.moveaxis(self.back - np.indices(self.mask.shape), 0, -1))


def sample_faces(faces: Faces, points: np.ndarray) -> np.ndarray:
    """Return the velocity at points (3, n), linear between the faces of each axis and across them."""
    sampled = []
    for axis, face in enumerate(faces):
        places = points.copy()
        places[axis] += 0.5  # face i lies half a voxel below voxel i
        sampled.append(ndimage.map_coordinates(face, places, order=1, mode="nearest"))
    return np.stack(sampled)


class _Response:
    """How volumes answer to corrections, learned from step to step (Broyden 1965), in parts of the goals.

    Args:
        goals: volumes, (regions,).
    """

    def __init__(self, goals: np.ndarray) -> None:
        self._goals = goals
        self._matrix = np.eye(len(goals))
        self._missed: np.ndarray | None = None

    def correction(self, asked: np.ndarray, missed: np.ndarray) -> np.ndarray:
        """Return the change to ask for next.

        Args:
            asked: change that was asked for last.
            missed: what is missing after it.
        """
        missed = missed / self._goals
        if self._missed is not None:
            asked = asked / self._goals
            size = float(asked @ asked)
            if size > 0:
                answered = self._missed - missed
                self._matrix += np.outer(answered - self._matrix @ asked, asked) / size
        self._missed = missed
        return np.linalg.solve(self._matrix, missed) * self._goals


def add_faces(one: Faces, other: Faces) -> Faces:
    """Return the sum of two velocities on faces."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def folds(back: np.ndarray, mask: np.ndarray, least: float = LEAST_DETERMINANT) -> np.ndarray:
    """Return the voxels at which a map has a determinant below `least`, and their neighbours, bool (D, H, W)."""
    folded = np.zeros(mask.shape, bool)
    for values, valid in corner_determinants(back, mask):
        folded[1:-1, 1:-1, 1:-1] |= valid & (values < least)
    return ndimage.binary_dilation(folded, np.ones((3, 3, 3), bool)) if folded.any() else folded


def determinants(back: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the Jacobian determinants of a map at every corner of every voxel whose three neighbours there are in the mask.

    With linear interpolation between voxels the map folds nowhere inside if all are positive at the corners.

    Args:
        back: (3, D, H, W), places in voxels.
        mask: bool (D, H, W).

    Returns:
        All of them, (n,).
    """
    return np.concatenate([values[valid] for values, valid in corner_determinants(back, mask)])


def corner_determinants(back: np.ndarray, mask: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each of the eight corners the determinants at all inner voxels, and where they mean something."""
    differences = [np.diff(back, axis=axis + 1) for axis in range(3)]
    both = [np.moveaxis(np.moveaxis(mask, axis, 0)[1:] & np.moveaxis(mask, axis, 0)[:-1], 0, axis) for axis in range(3)]
    for corner in np.ndindex(2, 2, 2):
        columns, valid = [], mask[1:-1, 1:-1, 1:-1]
        for axis, side in enumerate(corner):
            inner = tuple(slice(side, side + mask.shape[a] - 2) if a == axis else slice(1, -1) for a in range(3))
            columns.append(differences[axis][(slice(None), *inner)])
            valid = valid & both[axis][inner]
        (a, d, g), (b, e, h), (c, f, i) = columns
        yield a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g), valid
