"""The anatomy that all simulated subjects vary: the MNI152 2009a template with labels, as smooth functions of place.

Sources: T1, grey and white matter of the ICBM152 2009a template (Fonov 2011); hippocampus, amygdala and thalamus of the AAL
atlas (Tzourio-Mazoyer 2002), which is drawn on one subject's brain in the same space; the lateral ventricles are the fluid deep
inside, connected to two boxes where they must be.

Every voxel of 1 mm is given one label. A label at a place is then the share of a box around that place which it fills: the box
has the edges of the study's voxels, so the sum over a grid is the volume, wherever the anatomy is moved to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.grids import GRIDS, Grid
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.simulation.sampling import sampled
from sciml.runtime.errors import DataError

SOURCE_GRID = GRIDS["1.5mm"]

# codes of left and right: of the atlas as numbered from 1, and by the four digits of its authors
AAL_CODES = {
    "hippocampus": (37, 38, 4101, 4102),
    "amygdala": (41, 42, 4201, 4202),
    "thalamus": (77, 78, 7101, 7102),
}

# the lateral ventricles: fluid above one half, far from the skull, in a box, connected to a box on either side (mm)
FLUID_THRESHOLD = 0.5
DEPTH_MM = 15.0
VENTRICLE_BOX_MM = ((-45, 45), (-65, 45), (-25, 40))
VENTRICLE_SEEDS_MM = tuple(((side * 8 - 6, side * 8 + 6), (-10, 20), (5, 25)) for side in (-1, 1))

# before one subject's T1 is cut into three classes; its voxels are 1 mm
CLASS_SMOOTHING_MM = 0.5
# more than the last smoothing of shares reaches
BOX_RIM = 3


@dataclass(frozen=True)
class Anatomy:
    """Labels and intensity as functions of place.

    Attributes:
        labels: (regions, *source grid), share of the box that each region fills; they sum to 1 everywhere, for outside the
            skull each place belongs to the region that is nearest.
        inside: (*source grid), share of the box that lies in the skull.
        t1: (*source grid), intensity, 0 outside the skull.
        box_mm: edge of the box.
    """

    labels: np.ndarray
    inside: np.ndarray
    t1: np.ndarray
    box_mm: float

    def look_up(self, places_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return labels (regions, n), inside (n,) and t1 (n,) at places (3, n) in mm, linearly interpolated."""
        found = sampled(self._fields, (places_mm - SOURCE_GRID.affine[:3, 3:]) / SOURCE_GRID.spacing_mm).astype(np.float64)
        return found[:-2], found[-2], found[-1]

    @cached_property
    def _fields(self) -> np.ndarray:
        return np.ascontiguousarray(np.moveaxis(np.concatenate([self.labels, self.inside[None], self.t1[None]]), 0, -1))


class NoVentricles(DataError):
    """An image has no fluid where the lateral ventricles must be."""


@dataclass(frozen=True)
class Template:
    """Hard labels at 1 mm, (D, H, W) running to the right, to the front and to the head.

    Attributes:
        codes: index into `REGIONS`, -1 outside the skull.
        t1: intensity in [0, 1], 0 outside the skull.
        affine: (4, 4), voxel indices to mm.
    """

    codes: np.ndarray
    t1: np.ndarray
    affine: np.ndarray

    def volumes_ml(self) -> np.ndarray:
        """Return the volume of every region in ml, (regions,)."""
        voxel_ml = abs(np.linalg.det(self.affine[:3, :3])) / 1000
        return np.bincount(self.codes[self.codes >= 0], minlength=len(REGIONS)) * voxel_ml


def mni_template(atlas: str = "lab_aal") -> Template:
    """Return the template with its labels.

    Args:
        atlas: id of the AAL atlas, `lab_aal` (1 mm) or `lab_aal_2mm` (what comes without apt).

    Raises:
        DataError: a file is not fetched, or not what is expected.
    """
    t1, affine = template_volume("mni2009a_t1")
    grey, _ = template_volume("mni2009a_gm")
    white, _ = template_volume("mni2009a_wm")
    t1, grey, white = (array.astype(np.float32) / 255 for array in (t1, grey, white))
    return labelled(t1, grey, white, affine, atlas)


def colin_template() -> Template:
    """Return the brain of one man, Colin27 (Holmes 1998), on which the AAL atlas was drawn, with its labels.

    Fluid, grey and white matter are three classes of his T1 (Otsu).

    Raises:
        DataError: a file is not fetched, or not what is expected.
    """
    t1, affine = template_volume("mr_colin27_t1_brain")
    parts = connected_parts(t1 > 0)
    inside = (parts == np.bincount(parts[t1 > 0]).argmax()).astype(np.float32)
    t1 = inside * t1 / 255
    return labelled(t1, *tissue_classes(t1, inside), affine, "lab_aal", necks=True)


def tissue_classes(t1: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where grey and where white matter is, each float32 of 0 and 1: two of three classes of a T1 (Otsu).

    Args:
        t1: (D, H, W), 0 outside the brain, voxels of about 1 mm.
        inside: 1 in the brain, 0 outside, float32.
    """
    from skimage.filters import threshold_multiotsu

    # the mean over brain alone, so that its rim is no fluid
    smooth = ndimage.gaussian_filter(t1, CLASS_SMOOTHING_MM)
    smooth = inside * smooth / np.maximum(ndimage.gaussian_filter(inside, CLASS_SMOOTHING_MM), 1e-6)
    dark, bright = threshold_multiotsu(smooth[inside > 0])
    white = (smooth > bright).astype(np.float32)
    return (smooth > dark) - white, white


def labelled(
    t1: np.ndarray,
    grey: np.ndarray,
    white: np.ndarray,
    affine: np.ndarray,
    atlas: str,
    necks: bool = False,
    place: np.ndarray | None = None,
) -> Template:
    """Return a brain with one label a voxel.

    Args:
        t1: (D, H, W) in [0, 1], 0 outside the brain; axes to the right, to the front and to the head, voxels of about 1 mm.
        grey: share of grey matter.
        white: share of white matter; what is left inside is fluid.
        affine: (4, 4), without rotation.
        atlas: id of the AAL atlas.
        necks: cut the ventricles off from fluid that they touch through necks of up to two voxels, as to the third ventricle;
            an average has none so sharp.
        place: where the ventricles may be, bool (D, H, W); anywhere by default.

    Raises:
        DataError: the image is empty.
        NoVentricles: it has no fluid where the lateral ventricles must be.
    """
    whole, box = t1, _box_around(t1 > 0)
    t1, grey, white = (array[box] for array in (t1, grey, white))
    at_box = affine.copy()
    at_box[:3, 3] += affine[:3, :3] @ [edge.start for edge in box]
    inside = np.asarray(ndimage.binary_fill_holes(t1 > 0), dtype=bool)
    atlas_codes = _atlas_on(atlas, t1.shape, at_box)
    fluid = np.clip(1 - grey - white, 0, 1) * inside
    ventricles = find_ventricles(fluid if place is None else np.where(place[box], fluid, 0), inside, at_box, necks)
    # soft shares of each region, what is left going to the next one
    shares = np.zeros((len(REGIONS), *t1.shape), np.float32)
    shares[0] = np.where(ndimage.binary_dilation(ventricles), fluid, 0)
    used = shares[0].copy()
    tissue = {"hippocampus": grey, "amygdala": grey, "thalamus": grey + white, "grey_matter": grey, "white_matter": white}
    for region, share in tissue.items():
        here = np.isin(atlas_codes, AAL_CODES[region]) if region in AAL_CODES else inside
        shares[REGIONS.index(region)] = np.minimum(np.where(here, share, 0), 1 - used)
        used += shares[REGIONS.index(region)]
    shares[REGIONS.index("csf")] = np.maximum(inside - used, 0)
    # a little smoothing, so that single voxels do not decide; then the largest share
    smooth = np.stack([ndimage.gaussian_filter(share, 0.5) for share in shares])
    codes, masked = np.full(whole.shape, -1), np.zeros_like(whole)
    codes[box], masked[box] = np.where(inside, smooth.argmax(axis=0), -1), t1 * inside
    return Template(codes, masked, affine)


def _box_around(mask: np.ndarray) -> tuple[slice, ...]:
    """Return the least box that holds a mask and `BOX_RIM` voxels around it, where the array has them.

    Raises:
        DataError: the mask is empty.
    """
    found = ndimage.find_objects(mask.astype(np.uint8))
    if not found:
        raise DataError("the T1 image is empty: fetch it again with `sciml data fetch`")
    return tuple(
        slice(max(0, edge.start - BOX_RIM), min(size, edge.stop + BOX_RIM))
        for edge, size in zip(found[0], mask.shape, strict=True)
    )


def build_anatomy(template: Template, grid: Grid) -> Anatomy:
    """Return the anatomy for simulations on a grid.

    Args:
        template: hard labels at 1 mm.
        grid: whose voxels give the box.
    """
    inside = template.codes >= 0
    extended = template.codes[tuple(nearest_inside(inside))]

    def means(field: np.ndarray) -> np.ndarray:
        return box_means(field, template.affine, SOURCE_GRID, grid.spacing_mm)

    labels = np.stack([means(extended == code) for code in range(len(REGIONS))])
    return Anatomy(labels / labels.sum(axis=0), means(inside), means(template.t1), grid.spacing_mm)


def nearest_inside(mask: np.ndarray) -> np.ndarray:
    """Return for every voxel the indices of the nearest one in the mask, (3, D, H, W)."""
    return np.asarray(ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True))


def connected_parts(mask: np.ndarray) -> np.ndarray:
    """Return the number of the connected part of each voxel, 0 outside the mask."""
    parts = np.zeros(mask.shape, np.int32)
    ndimage.label(mask, output=parts)
    return parts


def box_means(field: np.ndarray, affine: np.ndarray, grid: Grid, box_mm: float) -> np.ndarray:
    """Return the mean of a field over a box around every voxel of a grid, (*grid), float32.

    Args:
        field: on a volume whose axes run along those of the grid.
        affine: (4, 4) of the field, without rotation.
        grid: the middles of the boxes.
        box_mm: edge of a box; what it holds beyond the field counts as the field's last voxel.
    """
    means = field.astype(np.float32)
    for axis in range(3):
        box = _box_matrix(field.shape[axis], affine[axis, 3], affine[axis, axis], grid, axis, box_mm)
        means = np.moveaxis(np.tensordot(box, means, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(means)


def _box_matrix(size: int, first_mm: float, step_mm: float, grid: Grid, axis: int, box_mm: float) -> np.ndarray:
    """Return (grid voxels, field voxels): the share of a box around a grid's voxel that a field's voxel fills."""
    middles = grid.affine[axis, 3] + grid.spacing_mm * np.arange(grid.shape[axis])
    edges = first_mm + step_mm * (np.arange(size + 1) - 0.5)
    edges[0], edges[-1] = -np.inf, np.inf
    low = np.maximum(middles[:, None] - box_mm / 2, edges[:-1])
    high = np.minimum(middles[:, None] + box_mm / 2, edges[1:])
    return (np.maximum(high - low, 0) / box_mm).astype(np.float32)


def find_ventricles(fluid: np.ndarray, inside: np.ndarray, affine: np.ndarray, necks: bool) -> np.ndarray:
    """Return the lateral ventricles, bool (D, H, W); the arguments are those of `labelled`.

    Raises:
        NoVentricles: there are none.
    """
    deep = (fluid > FLUID_THRESHOLD) & (np.asarray(ndimage.distance_transform_edt(inside)) > DEPTH_MM)
    deep &= _in_box(inside.shape, affine, VENTRICLE_BOX_MM)
    parts = connected_parts(ndimage.binary_erosion(deep) if necks else deep)
    seeds = [parts[_in_box(inside.shape, affine, box)] for box in VENTRICLE_SEEDS_MM]
    chosen = np.setdiff1d(np.concatenate(seeds), [0])
    if not len(chosen):
        raise NoVentricles(
            "there is no fluid where the lateral ventricles must be: fetch the images again with `sciml data fetch`"
        )
    found = np.isin(parts, chosen)
    return ndimage.binary_dilation(found, iterations=2, mask=deep) if necks else found


def _in_box(shape: tuple[int, ...], affine: np.ndarray, box_mm: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Return where all three coordinates lie in a box; the affine has no rotation."""
    found = np.ones(shape, bool)
    for axis, (low, high) in enumerate(box_mm):
        places = affine[axis, axis] * np.arange(shape[axis]) + affine[axis, 3]
        found &= ((places > low) & (places < high)).reshape([-1 if other == axis else 1 for other in range(3)])
    return found


def template_volume(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a declared volume, axes to the right, to the front and to the head, with its affine."""
    import nibabel

    from sciml.datasets import local_path

    image = nibabel.as_closest_canonical(nibabel.load(local_path(name)))
    affine = np.asarray(image.affine, np.float64)
    if np.abs(affine[:3, :3] - np.diag(np.diag(affine[:3, :3]))).max() > 1e-6:
        raise DataError(f"{name} is rotated: axes along MNI space are expected")
    return np.asarray(image.dataobj), affine


def _atlas_on(name: str, shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Return the atlas on the template's voxels, nearest neighbour."""
    codes, own = template_volume(name)
    indices = [
        np.rint((affine[axis, axis] * np.arange(shape[axis]) + affine[axis, 3] - own[axis, 3]) / own[axis, axis]).astype(int)
        for axis in range(3)
    ]
    inside = [(line >= 0) & (line < size) for line, size in zip(indices, codes.shape, strict=True)]
    found = np.zeros(shape, codes.dtype)
    found[np.ix_(*inside)] = codes[np.ix_(*(line[good] for line, good in zip(indices, inside, strict=True)))]
    return found
