"""The template as a user's scan."""

from __future__ import annotations

import numpy as np
import pytest
from scan_files import save
from scipy import ndimage

from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.scans.segmentation import SYNTHSEG
from sciml.progression.simulation.anatomy import template_volume


@pytest.fixture(scope="session")
def brain():
    """The template at 3 mm with a dark marker in the right hemisphere, as (array, affine)."""
    array, affine = template_volume("mni2009a_t1")
    array = ndimage.uniform_filter(array.astype(np.float32), 3)[1::3, 1::3, 1::3]
    affine = affine @ np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] += 1
    places = np.stack(np.indices(array.shape), -1) * 3 + affine[:3, 3]
    array[(((places - (30, 20, 25)) / 9) ** 2).sum(-1) < 1] = 20
    return array, affine


@pytest.fixture
def image(tmp_path, brain):
    return save(tmp_path / "a scan.nii.gz", *brain)


@pytest.fixture
def labels(brain):
    """Codes of SynthSeg: every region a slab of the brain, one code of no region."""
    array, affine = brain
    codes = np.zeros(array.shape, np.int16)
    for number, region in enumerate(REGIONS):
        codes[:, 10 + 8 * number : 18 + 8 * number] = SYNTHSEG[region][number % 2]
    codes[array == 0] = 0
    codes[40, 40, 40] = 99
    return codes, affine
