"""One raw scan made ready for a forecast: placed in MNI space, its brain found, its shading removed, its regions labelled."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from sciml.formats.nifti import Scan, read_scan
from sciml.progression.cohorts.grids import GRIDS, Grid
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.scans.bias import bias_of
from sciml.progression.scans.estimated_labels import FOUND_IN_TEMPLATE, WARNING, at_scan, estimate_labels
from sciml.progression.scans.examination import Finding, Placed, examine, place
from sciml.progression.scans.reference import mni_reference
from sciml.progression.scans.registration import register_affine
from sciml.progression.scans.resampling import labels_on_grid
from sciml.progression.scans.segmentation import Codes, code_table, measured_volumes, unknown_codes
from sciml.progression.scans.skull import doubts, find_brain, has_skull, only_brain
from sciml.runtime.errors import DataError

log = logging.getLogger(__name__)
# a brain mask of a segmentation lacks the fluid around it
CLOSED_MM = 6.0


@dataclass(frozen=True)
class Ready:
    """A scan with what a forecast needs.

    Attributes:
        scan: as it was given.
        brain: the same without skull and shading, on the same voxels.
        shading: by which the intensities of the brain were divided, on the same voxels.
        placed: the brain on the grid of the model, normalised.
        findings: what is unusual; an error forbids a forecast.
        skull_removed: whether it had a skull and no mask.
    """

    scan: Scan
    brain: Scan
    shading: np.ndarray
    placed: Placed
    findings: tuple[Finding, ...]
    skull_removed: bool

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Return what forbids a forecast."""
        return tuple(finding for finding in self.findings if finding.level == "error")


@dataclass(frozen=True)
class Regions:
    """Where the regions of a scan are, and how large.

    Attributes:
        labels: on the voxels of the scan, 1 + the place of the region in `REGIONS`, 0 elsewhere.
        shares: of each voxel of the grid that each region fills, (regions, *grid).
        volumes_ml: in the scan's own space, in the order of `REGIONS`.
        estimated: whether no segmentation was given.
        warnings: what the user must know of them.
    """

    labels: Scan
    shares: np.ndarray
    volumes_ml: np.ndarray
    estimated: bool
    warnings: tuple[str, ...]


def make_ready(
    path: Path, grid: Grid, *, volume: int | None = None, brain_mask: Path | None = None, segmentation: Path | None = None
) -> Ready:
    """Read a T1 scan in any orientation, with skull or without, and make it ready.

    Args:
        path: NIfTI or MGH.
        grid: of the model.
        volume: which of several volumes in the file.
        brain_mask: image whose voxels above 0 are brain, on any grid; found by itself where the scan has a skull.
        segmentation: label image; its labels tell where the brain is where there is no mask.

    Raises:
        DataError: it cannot be read as a T1.
        NumericalError: it cannot be registered.
    """
    scan = read_scan(path, volume)
    log.info("%s: registering to MNI152", path.name)
    reference = mni_reference(GRIDS["4.5mm"])
    # doubts about a brain are answered by a mask: one that was given is taken
    brain, found, skull = scan, [], False
    if brain_mask is not None:
        brain = only_brain(scan, _mask_of(brain_mask, scan))
    to_scan = register_affine(brain, reference)
    if brain_mask is None and has_skull(scan, to_scan):
        skull = segmentation is None
        log.info("%s: removing the skull%s", path.name, "" if skull else " by the segmentation")
        inside = find_brain(scan, to_scan) if segmentation is None else _mask_of(segmentation, scan, CLOSED_MM)
        brain = only_brain(scan, inside)
        to_scan = register_affine(brain, reference)
        found = doubts(brain, to_scan)
    log.info("%s: evening out the intensities", path.name)
    shading = bias_of(brain, to_scan)
    even = replace(brain, array=(brain.array / shading).astype(np.float32))
    placed = place(even, grid, to_scan)
    found += examine(even, placed, grid, mni_reference(grid), registered=True)
    return Ready(scan, even, shading, placed, tuple(found), skull)


def find_regions(ready: Ready, grid: Grid, segmentation: Path | None = None, codes: str = "synthseg") -> Regions:
    """Return the regions of a scan: those of a segmentation, else estimates.

    Args:
        ready: of `make_ready`.
        grid: of the shares.
        segmentation: label image on any grid.
        codes: its code table, as in `code_table`.

    Raises:
        DataError: a region has no voxel.
    """
    to_scan = ready.placed.to_scan
    if segmentation is None:
        log.info("%s: estimating the regions", ready.scan.path.name)
        template = estimate_labels(ready.brain, to_scan)
        labels, warnings = at_scan(template, ready.brain, to_scan), (WARNING,)
        size = abs(float(np.linalg.det(to_scan[:3, :3])))
        volumes = template.volumes_ml() * size / np.array(FOUND_IN_TEMPLATE)
    else:
        table, given = code_table(codes), read_scan(segmentation, whole_numbers=True)
        volumes = np.array(measured_volumes(given, table))
        labels = _renumbered(given, table, ready.scan)
        strange = unknown_codes(given, table)
        told = f"{segmentation.name} has codes that belong to no region: {', '.join(map(str, strange[:20]))}"
        warnings = (told,) if strange else ()
    own = [(code,) for code in range(1, len(REGIONS) + 1)]
    shares = labels_on_grid(labels, own, grid, to_scan)
    for region, share in zip(REGIONS, shares, strict=True):
        if not share.any():
            raise DataError(f"{labels.path} has no {region} where the scan has its brain: is the segmentation of this scan?")
    return Regions(labels, shares, volumes, segmentation is None, warnings)


def _renumbered(given: Scan, table: Codes, scan: Scan) -> Scan:
    """Return a label image on the voxels of the scan, in the numbers of `Regions`."""
    codes = np.zeros(given.array.shape, np.uint8)
    for number, region in enumerate(REGIONS, 1):
        codes[np.isin(np.rint(given.array), table[region])] = number
    return Scan(_nearest(replace(given, array=codes), scan), scan.affine, given.path)


def _mask_of(path: Path, scan: Scan, closed_mm: float = 0.0) -> np.ndarray:
    given = read_scan(path)
    inside = given.array > 0
    if closed_mm:
        steps = max(1, round(closed_mm / float(np.mean(given.spacing_mm))))
        grown = ndimage.binary_dilation(np.pad(inside, steps), iterations=steps)
        shrunk = np.asarray(ndimage.binary_erosion(grown, iterations=steps))
        inside = np.asarray(ndimage.binary_fill_holes(shrunk))[(slice(steps, -steps),) * 3] | inside
    found = _nearest(replace(given, array=inside.astype(np.uint8)), scan) > 0
    if not found.any():
        raise DataError(f"{path} has no brain where {scan.path} lies: is it of this scan?")
    return found


def _nearest(given: Scan, scan: Scan) -> np.ndarray:
    """Return whole numbers at the voxels of a scan, by the nearest voxel, 0 beyond their image."""
    if given.array.shape == scan.array.shape and np.allclose(given.affine, scan.affine, atol=1e-3):
        return given.array
    mapping = np.linalg.inv(given.affine) @ scan.affine
    return ndimage.affine_transform(given.array, mapping[:3, :3], mapping[:3, 3], scan.array.shape, order=0, mode="constant")  # pyright: ignore
