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


def test_a_part_is_cut_out_at_its_place(sciml_command, tmp_path, need_data):
    need_data("camera", "mni2009a_t1")
    assert sciml_command("data", "export", "camera", "--crop", 60, 190, 100, 128, "--out", "part.npy")[0] == 0
    assert np.array_equal(np.load("part.npy"), load("camera").array[60:160, 190:318])
    assert sciml_command("data", "export", "mni2009a_t1[90:92]", "--crop", 20, 30, 40, 50, "--out", "part.nii.gz")[0] == 0
    part, whole = read_image("part.nii.gz"), load("mni2009a_t1")
    assert np.allclose(part.array / part.array.max(), whole.array[90:92, 20:60, 30:80] / whole.array[90:92, 20:60, 30:80].max())
    assert np.allclose(part.affine @ (1, 3, 4, 1), whole.affine @ (91, 23, 34, 1))
    for place in ((500, 0, 20, 20), (-1, 0, 20, 20), (0, 0, 0, 20)):
        code, _, err = sciml_command("data", "export", "camera", "--crop", *place, "--out", "out.png")
        assert code == 2 and "camera has 512 x 512 pixels" in err
