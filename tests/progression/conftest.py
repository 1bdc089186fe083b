"""A brain of ellipsoids in place of the template, and a small cohort of it."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.progression.anatomy import Anatomy, Template, build_anatomy
from sciml.progression.grids import GRIDS
from sciml.progression.regions import REGIONS

STEP_MM = 3.0
# region: middles and half axes in mm; later ones lie over earlier ones, both sides
SHAPES = {
    "csf": (((0, -18, 4), (70, 88, 72)),),
    "grey_matter": (((0, -18, 4), (64, 82, 66)),),
    "white_matter": (((0, -18, 4), (50, 66, 50)),),
    "thalamus": (((12, -20, 8), (10, 14, 10)),),
    "ventricle": (((10, 0, 22), (8, 26, 8)),),
    "hippocampus": (((28, -22, -14), (9, 20, 8)),),
    "amygdala": (((26, 2, -16), (8, 8, 8)),),
}
INTENSITY = dict(zip(REGIONS, (0.25, 0.6, 0.62, 0.7, 0.6, 0.85, 0.3), strict=True))


@pytest.fixture(scope="session")
def phantom_template() -> Template:
    """Return hard labels on 3 mm voxels, with a marker in the right frontal white matter only."""
    shape = (64, 78, 64)
    affine = np.diag([STEP_MM] * 3 + [1.0])
    affine[:3, 3] = -96, -134, -72
    places = np.stack(np.indices(shape), -1) * STEP_MM + affine[:3, 3]
    codes = np.full(shape, -1)
    for region, parts in SHAPES.items():
        for middle, half in parts:
            for side in (-1, 1):
                inside = (((places - np.multiply(middle, (side, 1, 1))) / half) ** 2).sum(-1) < 1
                codes[inside] = REGIONS.index(region)
    levels = np.array([*INTENSITY.values(), 0.0])
    t1 = levels[codes].astype(np.float32)
    t1[((places - (30, 25, 20)) ** 2).sum(-1) < 100] = 0.4
    return Template(codes, t1, affine)


@pytest.fixture(scope="session")
def phantom_anatomy(phantom_template) -> Anatomy:
    """Return the phantom for simulations on the 4.5 mm grid."""
    return build_anatomy(phantom_template, GRIDS["4.5mm"])
