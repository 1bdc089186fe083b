"""A user's own field as the initial state: forms, files, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sciml.active_fluid import random_state
from sciml.active_fluid.solvers.initial import initial_moments
from sciml.active_fluid.solvers.simulation import read_state
from sciml.active_fluid.theory.states import tensor_of_order
from sciml.runtime.errors import DataError, ScimlError, ShapeError

M1 = random_state(16, 7, amplitude=0.3)
DENSITY = 1 + 0.1 * np.cos(2 * np.pi * np.arange(16) / 16)[:, None] * np.ones(16)
D = tensor_of_order(M1 * DENSITY, DENSITY)
ANGLE, ORDER = np.angle(M1) / 2, np.abs(M1)

# the same state in all forms
FORMS = {
    "m1": {"m1": M1 * DENSITY, "density": DENSITY},
    "D": {"D": D},
    "components": {"D_xx": D[0, 0], "D_xy": D[0, 1], "D_yy": D[1, 1]},
    "two components": {"D_xx": D[0, 0], "D_xy": D[0, 1], "density": DENSITY},
    "traceless": {"Q_xx": ORDER * np.cos(2 * ANGLE) / 2, "Q_xy": ORDER * np.sin(2 * ANGLE) / 2, "density": DENSITY},
    "parts": {"m1_real": M1.real * DENSITY, "m1_imag": M1.imag * DENSITY, "density": DENSITY},
    "director": {"angle": ANGLE, "order": ORDER, "density": DENSITY},
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_are_the_same_state(form):
    np.testing.assert_allclose(initial_moments(FORMS[form], 16, None), np.stack([DENSITY, M1 * DENSITY]), atol=1e-14)


@pytest.mark.parametrize("file", ["state.nc", "state.zarr", "state.npz"])
def test_a_director_field_comes_from_a_file_with_its_axes_in_any_order(file, tmp_path):
    if file.endswith("npz"):
        np.savez(tmp_path / file, angle=ANGLE, order=ORDER)
    else:
        axes = ("time", "y", "x")
        data = xr.Dataset({"angle": (axes, np.stack([0 * ANGLE.T, ANGLE.T])), "order": (axes, np.stack([ORDER.T] * 2))})
        data.to_netcdf(tmp_path / file) if file.endswith("nc") else data.to_zarr(tmp_path / file)
    moments = initial_moments(read_state(tmp_path / file), 16, None)
    np.testing.assert_allclose(moments[1], M1, atol=1e-14)
    # and on a finer grid, whose every other point is one of the given
    np.testing.assert_allclose(initial_moments(read_state(tmp_path / file), 32, None)[1][::2, ::2], M1, atol=1e-12)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"angle": ANGLE}, "without order"),
        ({"angle": ANGLE, "order": 2 * ORDER / ORDER.max()}, "order from .* to 2: expected 0 to 1"),
        ({"angle": ANGLE[:, :8], "order": 0.5}, "on a square"),
        ({"angle": ANGLE, "order": ORDER[:8]}, r"order has the shape \(8, 16\)"),
        ({"D_xx": D[0, 0]}, "without D_xy"),
        ({"D_xx": D[0, 0], "D_xy": D[0, 1], "D_yy": D[1, 1] + 0.1, "density": DENSITY}, "tr D differs"),
        ({"m1": M1, "angle": ANGLE}, "needs one of"),
        ({"order": ORDER}, "needs one of"),
        ({"angle": ANGLE, "order": np.full((16, 16), np.nan)}, "not finite"),
        (xr.Dataset({"m1": (("x", "y"), M1)}, {"time": 0.7}, {"shear": 0.5}), "sheared by 0.35 lengths.*multiples of time 2 "),
        (xr.Dataset({"m1": (("x", "y"), M1)}, {"time": 0.7}, {"strain": 0.5}), "no square"),
    ],
)
def test_what_is_no_state_is_refused_in_a_line(given, match):
    with pytest.raises(ScimlError, match=match) as refusal:
        initial_moments(given, 16, None)
    assert isinstance(refusal.value, ShapeError | DataError) and "\n" not in str(refusal.value)
    # a shear by whole lengths is periodic again
    whole = xr.Dataset({"m1": (("x", "y"), M1)}, {"time": 4.0}, {"shear": 0.5})
    np.testing.assert_allclose(initial_moments(whole, 16, None)[1], M1)


def test_a_file_of_other_variables_names_them(tmp_path):
    xr.Dataset({"speed": (("x", "y"), ORDER)}).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(DataError, match="holds speed: no m1"):
        read_state(tmp_path / "other.nc")
