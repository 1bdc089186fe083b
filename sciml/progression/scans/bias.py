"""The smooth shading of a scan: what white matter, which should have one intensity, has in different places.

    ln x(p) = ln w + b(p),    b a polynomial of degree 3 in p, fitted over white matter                    (1)

White matter is the brightest of three classes (Otsu) of x / exp(b); a few rounds of both.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_multiotsu

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.scans.examination import foreground
from sciml.progression.scans.native import at_voxels_of
from sciml.progression.scans.resampling import on_grid

GRID = GRIDS["3mm"]
DEGREE, ROUNDS = 2, 4
# the rim of a brain is half fluid
RIM_VOXELS = 2


def bias_of(brain: Scan, to_scan: np.ndarray) -> np.ndarray:
    """Return the shading of a brain, exp(b) of (1), on the voxels of its scan, float32; 1 on average over white matter.

    Args:
        brain: T1, brain only.
        to_scan: (4, 4), places of the template to places of the scan, in mm.
    """
    above, inside = foreground(brain)
    image = on_grid(Scan(np.clip(above, 0, None), brain.affine, brain.path), GRID, to_scan)
    share = on_grid(Scan(inside.astype(np.float32), brain.affine, brain.path), GRID, to_scan)
    deep = np.asarray(ndimage.binary_erosion(share > 0.5, iterations=RIM_VOXELS), bool) & (image > 0)
    axes = np.meshgrid(*(np.linspace(-1, 1, side) for side in GRID.shape), indexing="ij")
    powers = [power for power in product(range(DEGREE + 1), repeat=3) if 0 < sum(power) <= DEGREE]
    terms = np.stack([np.prod([axis**one for axis, one in zip(axes, power, strict=True)], axis=0) for power in powers], axis=-1)
    shading = np.ones(GRID.shape)
    for _ in range(ROUNDS):
        even = image / shading
        white = deep & (even > threshold_multiotsu(even[deep])[1])
        columns = np.concatenate([np.ones((int(white.sum()), 1)), terms[white]], axis=1)
        fitted, *_ = np.linalg.lstsq(columns, np.log(image[white]), rcond=None)
        curve = terms @ fitted[1:]
        # a polynomial is trusted where it was fitted, not beyond
        shading = np.exp(np.clip(curve, curve[white].min(), curve[white].max()) - curve[white].mean())
    found = at_voxels_of(shading[None], GRID, np.linalg.inv(to_scan) @ brain.affine, brain.array.shape)[0]
    return np.where(found > 0, found, 1).astype(np.float32)
