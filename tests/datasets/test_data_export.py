"""`sciml data export`: a data set as a file that the commands read."""

from __future__ import annotations

import numpy as np

from sciml.datasets import load
from sciml.formats.read import read_image


def test_a_photograph_and_a_slice_come_back_as_they_are_loaded(sciml_command, tmp_path, need_data):
    need_data("astronaut", "ct_cranium")
    assert sciml_command("data", "export", "astronaut", "--out", "photo.png")[0] == 0
    assert np.abs(read_image("photo.png").array - load("astronaut").array).max() <= 0.5 / 255 + 1e-6
    code, out, _ = sciml_command("data", "export", "ct_cranium[54:55]", "--out", "slice.npy")
    assert code == 0 and np.array_equal(np.load("slice.npy"), load("ct_cranium[54:55]").array[0]) and "values from" in out
    assert sciml_command("data", "export", "astronaut", "--out", "photo.png")[0] == 2
