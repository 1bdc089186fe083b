"""The commands of the family, in a folder with small blurred photographs."""

from __future__ import annotations

from functools import partial

import numpy as np
import PIL.Image
import pytest
from photo_files import BYTES, LIGHT


@pytest.fixture
def run(sciml_command):
    """Run one command in a folder with photographs; return (exit code, standard output, standard error)."""
    PIL.Image.fromarray(BYTES).save("photo.png")
    np.save("light.npy", LIGHT[..., 1])
    return partial(sciml_command, "deblurring")
