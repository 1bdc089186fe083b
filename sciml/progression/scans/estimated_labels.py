"""Labels of a brain without a segmentation: three classes of its T1, and the template's places of deep regions.

Fluid, grey and white matter are classes of the T1 (Otsu); hippocampus, amygdala and thalamus are what the AAL atlas, laid over
by an affine map, has of the right class; the lateral ventricles are the fluid deep inside that is nearer to the template's than
to its other fluid. These are estimates: no deep region is outlined in the image itself, and a segmentation is always the better
choice.
"""

from __future__ import annotations

from functools import cache
from typing import cast

import numpy as np
from scipy import ndimage

from sciml.datasets.manifest import is_present, record
from sciml.formats.nifti import Scan
from sciml.progression.config import ATLASES
from sciml.progression.scans.examination import foreground
from sciml.progression.simulation.anatomy import (
    FLUID_THRESHOLD,
    NoVentricles,
    Template,
    find_ventricles,
    labelled,
    template_volume,
    tissue_classes,
)
from sciml.runtime.errors import DataError

# voxels of 1 mm over MNI space
SHAPE, CORNER_MM = (181, 217, 181), (-90.0, -126.0, -72.0)
# width over which the tissue beneath the surface is looked at
BENEATH_MM = 2.0
# what is fluid so near to the template's ventricles is theirs
RIM_VOXELS = 2
# what `estimate_labels` finds of each region in the template, as a share of what the template's own maps have: tissue classes
# of intensities alone take some grey matter for white and for fluid
FOUND_IN_TEMPLATE = (1.148, 0.741, 0.809, 0.976, 0.696, 1.315, 1.923)
WARNING = (
    "the volumes at the start are estimates from tissue classes and an atlas, not a segmentation: give one with --segmentation "
    "(SynthSeg, FreeSurfer) where you have it"
)


def estimate_labels(brain: Scan, to_scan: np.ndarray) -> Template:
    """Return labels of every region in MNI space.

    Args:
        brain: T1, brain only, without shading.
        to_scan: (4, 4), places of the template to places of the scan, in mm.

    Raises:
        DataError: it has no fluid where the lateral ventricles must be, or the atlas is not fetched.
    """
    affine = np.eye(4)
    affine[:3, 3] = CORNER_MM
    above, inside = foreground(brain)
    mapping = np.linalg.inv(brain.affine) @ to_scan @ affine

    def at_millimetres(array: np.ndarray) -> np.ndarray:
        offset = cast(float, mapping[:3, 3])
        return ndimage.affine_transform(array.astype(np.float32), mapping[:3, :3], offset, SHAPE, order=1)

    t1 = without_faded_rim(at_millimetres(np.clip(above, 0, None)) * (at_millimetres(inside) > 0.5))
    t1 /= max(float(t1.max()), 1e-6)
    grey, white = tissue_classes(t1, (t1 > 0).astype(np.float32))
    atlas = next((name for name in ATLASES if is_present(record(name))), ATLASES[0])
    try:
        return labelled(t1, grey, white, affine, atlas, necks=True, place=beside_ventricles())
    except NoVentricles as error:
        raise DataError("no fluid is found in the lateral ventricles: too blurred or noisy a scan, or no T1") from error


@cache
def beside_ventricles() -> np.ndarray:
    """Return what is nearer to the template's lateral ventricles than to its other fluid, bool (D, H, W) of labels.

    In a blurred scan the ventricles touch the third ventricle and the cisterns through more than necks.
    """
    t1, own = template_volume("mni2009a_t1")
    grey, white = (template_volume(f"mni2009a_{name}")[0] / 255.0 for name in ("gm", "wm"))
    inside = np.asarray(ndimage.binary_fill_holes(t1 > 0), dtype=bool)
    fluid = np.clip(1 - grey - white, 0, 1) * inside
    ventricles = find_ventricles(fluid, inside, own, necks=False)
    others = (fluid > FLUID_THRESHOLD) & (np.asarray(ndimage.binary_dilation(ventricles, iterations=RIM_VOXELS)) == 0)
    # at 2 mm, which is fine enough for the plane between
    to_own, to_others = (np.asarray(ndimage.distance_transform_edt(part[::2, ::2, ::2] == 0)) for part in (ventricles, others))
    affine = np.eye(4)
    affine[:3, 3] = CORNER_MM
    mapping = np.linalg.inv(own @ np.diag([2, 2, 2, 1])) @ affine
    near = (to_own < to_others).astype(np.uint8)
    return ndimage.affine_transform(near, mapping[:3, :3], cast(float, mapping[:3, 3]), SHAPE, order=0).astype(bool)


def without_faded_rim(t1: np.ndarray) -> np.ndarray:
    """Return a brain without the voxels of its surface that have less than half of the tissue beneath them.

    A brain that was resampled fades out over a voxel: what is left there of it is no fluid, and as such it would move the
    borders between the classes everywhere.

    Args:
        t1: (D, H, W), 0 outside the brain, voxels of 1 mm.
    """
    core = np.asarray(ndimage.binary_erosion(ndimage.binary_fill_holes(t1 > 0)), dtype=bool)
    beneath = ndimage.gaussian_filter(np.where(core, t1, 0.0), BENEATH_MM)
    beneath /= np.maximum(ndimage.gaussian_filter(core.astype(np.float32), BENEATH_MM), 1e-3)
    return t1 * (core | (t1 > 0.5 * beneath))


def at_scan(template: Template, brain: Scan, to_scan: np.ndarray) -> Scan:
    """Return labels in MNI space on the voxels of a scan: 1 + the place of the region in `REGIONS`, 0 outside the brain."""
    mapping = np.linalg.inv(template.affine) @ np.linalg.inv(to_scan) @ brain.affine
    offset = cast(float, mapping[:3, 3])
    codes = ndimage.affine_transform((template.codes + 1).astype(np.uint8), mapping[:3, :3], offset, brain.array.shape, order=0)
    return Scan(codes, brain.affine, brain.path)
