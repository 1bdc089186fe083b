"""Whether an image is what the models expect: a brain without skull, T1, in MNI space, of a usual size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.grids import Grid
from sciml.progression.scans.reference import Reference
from sciml.progression.scans.resampling import on_grid
from sciml.progression.simulation.anatomy import connected_parts
from sciml.progression.simulation.scanner import normalise
from sciml.runtime.errors import DataError

BACKGROUND_SHARE = 0.02
FULLEST = 0.75
RIM_MM, RIM_SHARE = 9.0, 0.1
FARTHEST_MM = 20.0
EXTENT_MM, TAIL = (120.0, 185.0), 1e-3
LEAST_CORRELATION = 0.6
BRAIN_ML = (1000.0, 2200.0)
COARSE_MM, ANISOTROPY_MM = 2.0, 3.0
NEGATIVE_SHARE = 0.05
# a ball of 70 mm grows by 2 pi 70 mm a millimetre; a brain by somewhat more, and its stem is cut off
FACE_CM2, FACE_CM2_PER_MM = 12.0, 7.0
# slabs of the template's brain, from its ends inwards, and the least share of one that a brain fills
END_MM, LEAST_OF_END = 27.0, 0.25
PURE = 0.8
STRIP = "remove the skull first (HD-BET, SynthStrip), or go on with --allow-skull"
REGISTER = "register it to MNI152 first, or use --register affine"
MASK = "is it a whole T1 head? give the mask of its brain with --brain-mask (SynthStrip, HD-BET)"
SIDES = (("at the left", "at the right"), ("at the back", "at the front"), ("at the bottom", "at the top"))


@dataclass(frozen=True)
class Finding:
    """Something unusual about an image.

    Attributes:
        level: `error` forbids its use, `warning` does not.
        code: `skull`, `cut`, `space`, `contrast`, `size`, `voxels`.
        text: what was found, what was expected, what to do.
    """

    level: Literal["error", "warning"]
    code: str
    text: str


@dataclass(frozen=True)
class Placed:
    """An image on a grid.

    Attributes:
        image: normalised, 0 outside the brain, (*grid), float32.
        mask: the brain, bool.
        to_scan: (4, 4), places of the template to places of the scan, in mm.
    """

    image: np.ndarray
    mask: np.ndarray
    to_scan: np.ndarray


def place(scan: Scan, grid: Grid, to_scan: np.ndarray | None = None) -> Placed:
    """Return a scan on a grid, normalised, with its brain: whatever differs from the background.

    Args:
        scan: brain only.
        grid: where to.
        to_scan: the affine map of a registration; none by default.

    Raises:
        DataError: nothing is in it, or intensities lie below the background.
    """
    above, inside = foreground(scan)
    if (above[inside] < 0).mean() > NEGATIVE_SHARE:
        raise DataError(f"{scan.path} has intensities below its background, as after a z-score: give the image before that")
    share = on_grid(Scan(inside.astype(np.float32), scan.affine, scan.path), grid, to_scan)
    mask = np.asarray(ndimage.binary_fill_holes(share >= 0.5))
    if not mask.any():
        raise DataError(f"{scan.path} has nothing in the field of view of {grid.name}: is it in MNI space? try --register affine")
    parts = connected_parts(mask)
    mask = parts == np.bincount(parts[mask]).argmax()
    image = on_grid(Scan(np.clip(above, 0, None), scan.affine, scan.path), grid, to_scan)
    return Placed(normalise(image, mask).astype(np.float32), mask, np.eye(4) if to_scan is None else to_scan)


def foreground(scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    """Return a scan above its background, and where it differs from that, bool; both on its own voxels.

    Raises:
        DataError: it is constant.
    """
    above = scan.array - background(scan.array)
    top = float(np.percentile(np.abs(above[above != 0]), 99)) if (above != 0).any() else 0.0
    if top == 0:
        raise DataError(f"{scan.path} is constant: expected a T1 image")
    return above, np.abs(above) > BACKGROUND_SHARE * top


def background(array: np.ndarray) -> float:
    """Return the most usual value on the six outer faces of a volume."""
    faces = np.concatenate([array[index].ravel() for axis in range(3) for index in (_face(axis, 0), _face(axis, -1))])
    values, counts = np.unique(faces, return_counts=True)
    return float(values[counts.argmax()])


def _face(axis: int, index: int) -> tuple:
    return tuple(index if one == axis else slice(None) for one in range(3))


def examine(scan: Scan, placed: Placed, grid: Grid, reference: Reference, registered: bool = False) -> list[Finding]:
    """Return what is unusual about an image, errors first.

    Args:
        scan: as read.
        placed: on the grid.
        grid: of `placed` and `reference`.
        reference: the template.
        registered: whether it was registered and its skull removed, so that other advice is due.
    """
    remedy, advice = (MASK, MASK) if registered else (STRIP, REGISTER)
    found = [
        *_skull(placed, grid, reference, remedy), *_cut(scan, placed, grid, reference), *_space(placed, grid, reference, advice),
        *_contrast(placed, reference), *_size(placed, grid), *_voxels(scan),
    ]  # fmt: skip
    return sorted(found, key=lambda finding: finding.level)


def _skull(placed: Placed, grid: Grid, reference: Reference, remedy: str) -> Iterator[Finding]:
    fullness = float(placed.mask.mean())
    far = np.asarray(ndimage.distance_transform_edt(~reference.mask)) * grid.spacing_mm > RIM_MM
    rim = float((placed.mask & far).sum() / placed.mask.sum())
    if fullness > FULLEST or rim > RIM_SHARE:
        yield Finding(
            "error", "skull",
            f"{100 * fullness:.0f} % of the field of view is filled and {100 * rim:.0f} % of that lies more than {RIM_MM:g} mm "
            f"outside the template's brain: {remedy}",
        )  # fmt: skip


def _cut(scan: Scan, placed: Placed, grid: Grid, reference: Reference) -> Iterator[Finding]:
    advice = "slices are missing, and a forecast of the rest is worth nothing: give the whole brain"
    for side, area, most in flat_faces(scan):
        if area > most:
            yield Finding(
                "error",
                "cut",
                f"the brain ends {side} in a flat face of {area:.0f} cm2, at most {most:.0f} are expected: {advice}",
            )
    depth = round(END_MM / grid.spacing_mm)
    for axis, sides in enumerate(SIDES):
        filled = np.nonzero(reference.mask.any(axis=tuple(other for other in range(3) if other != axis)))[0]
        for side, rows in zip(sides, (filled[:depth], filled[-depth:]), strict=True):
            wanted, found = (np.take(mask, rows, axis) for mask in (reference.mask, placed.mask))
            share = float((wanted & found).sum() / wanted.sum())
            if share < LEAST_OF_END:
                yield Finding(
                    "error",
                    "cut",
                    f"{side} only {100 * share:.0f} % of the template's last {END_MM:g} mm are brain: {advice}",
                )


def flat_faces(scan: Scan) -> list[tuple[str, float, float]]:
    """Return for both ends of each voxel axis its name, the largest step of the cross-section there, and the most expected.

    A brain is round: from slice to slice its cross-section grows by a few cm2 a millimetre. Where slices are missing it begins
    with a face at once. Areas are in cm2; looked at is the outer third of the brain at each end.

    Args:
        scan: brain only, on its own voxels.
    """
    inside = foreground(scan)[1]
    found = []
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        areas = np.asarray(inside.sum(axis=tuple(others)) * np.prod([scan.spacing_mm[other] for other in others]) / 100)
        filled = np.nonzero(areas)[0]
        first, last = int(filled[0]), int(filled[-1])
        third = (last - first) // 3 + 1
        steps = np.diff(np.pad(areas[first : last + 1], 1))
        direction = scan.affine[:3, axis]
        along = int(np.abs(direction).argmax())
        low, high = SIDES[along] if direction[along] > 0 else SIDES[along][::-1]
        most = FACE_CM2 + FACE_CM2_PER_MM * scan.spacing_mm[axis]
        found += [(low, float(steps[:third].max()), most), (high, float(-steps[-third:].min()), most)]
    return found


def _space(placed: Placed, grid: Grid, reference: Reference, advice: str) -> Iterator[Finding]:
    centre, wanted = (np.array(ndimage.center_of_mass(mask)) * grid.spacing_mm for mask in (placed.mask, reference.mask))
    distance = float(np.linalg.norm(centre - wanted))
    if distance > FARTHEST_MM:
        yield Finding(
            "error", "space", f"its middle lies {distance:.0f} mm from the template's, at most {FARTHEST_MM:g}: {advice}"
        )
    extents = [grid.spacing_mm * _length(placed.mask, axis) for axis in range(3)]
    if min(extents) < EXTENT_MM[0] or max(extents) > EXTENT_MM[1] + 2 * grid.spacing_mm:
        sizes = " x ".join(f"{extent:.0f}" for extent in extents)
        yield Finding("error", "space", f"the brain measures {sizes} mm, expected {EXTENT_MM[0]:g} to {EXTENT_MM[1]:g}: {advice}")
    alike = correlation(placed.image, reference.t1, placed.mask | reference.mask)
    if alike < LEAST_CORRELATION:
        yield Finding("error", "space", f"correlation with the template is {alike:.2f}, at least {LEAST_CORRELATION:g}: {advice}")


def _length(mask: np.ndarray, axis: int) -> int:
    """Return the voxels along an axis that hold a mask but for `TAIL` of it at each end, where a few voxels of a rim may lie."""
    share = np.cumsum(mask.sum(axis=tuple(other for other in range(mask.ndim) if other != axis))) / mask.sum()
    return int(np.searchsorted(share, 1 - TAIL) - np.searchsorted(share, TAIL, side="right")) + 1


def correlation(first: np.ndarray, second: np.ndarray, where: np.ndarray) -> float:
    """Return the correlation of two images, each smoothed by a voxel, over the given voxels."""
    one, other = (ndimage.gaussian_filter(image.astype(float), 1.0)[where] for image in (first, second))
    return float(np.corrcoef(one, other)[0, 1]) if one.std() > 0 and other.std() > 0 else 0.0


def _contrast(placed: Placed, reference: Reference) -> Iterator[Finding]:
    white, grey = (float(placed.image[(share > PURE) & placed.mask].mean()) for share in (reference.white, reference.grey))
    if not white > grey:
        yield Finding(
            "error",
            "contrast",
            f"white matter ({white:.2f}) is not brighter than grey ({grey:.2f}): looks like T2; a T1 is expected",
        )


def _size(placed: Placed, grid: Grid) -> Iterator[Finding]:
    volume = float(placed.mask.sum()) * grid.voxel_ml
    if not BRAIN_ML[0] <= volume <= BRAIN_ML[1]:
        yield Finding("warning", "size", f"the brain has {volume:.0f} ml, outside {BRAIN_ML[0]:.0f} to {BRAIN_ML[1]:.0f}")


def _voxels(scan: Scan) -> Iterator[Finding]:
    sizes = scan.spacing_mm
    if max(sizes) > COARSE_MM or max(sizes) - min(sizes) > ANISOTROPY_MM:
        text = " x ".join(f"{size:.3g}" for size in sizes)
        yield Finding("warning", "voxels", f"voxels of {text} mm are coarse: small regions will not be measured well")
