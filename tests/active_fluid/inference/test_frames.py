"""Frames of a laboratory: every layout gives the same m1, units, and what is refused in one line before JAX is loaded."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tifffile
import xarray as xr

from sciml.active_fluid.inference.frames import check_span, fitted_grid, read_frames, theory_units
from sciml.active_fluid.theory.states import random_state, resampled
from sciml.runtime.errors import ConfigError, DataError, ScimlError, ShapeError

M1 = np.stack([random_state(16, seed, 0.5) for seed in range(3)])
# rows from top to bottom, x to the right
PICTURE = M1.transpose(0, 2, 1)[:, ::-1]
ANGLE, ORDER = np.angle(PICTURE) / 2, np.abs(PICTURE)
SCALES = {"pixel_size": 0.5, "frame_interval": 2.0}


def stack(path, values, **options):
    tifffile.imwrite(path, values, photometric="minisblack", **options)
    return path


def dataset(path, **fields):
    axes = {"time": 2.0 * np.arange(3), "x": 0.5 * np.arange(16), "y": 0.5 * np.arange(16)}
    data = xr.Dataset({name: (("time", "x", "y"), field) for name, field in fields.items()}, axes)
    if path.suffix == ".nc":
        data.to_netcdf(path, engine="scipy")
    else:
        data.to_zarr(path, consolidated=False)
    return path


@pytest.mark.parametrize(
    ("values", "options", "tolerance"),
    [
        (ANGLE.astype(np.float32), {}, 1e-6),
        (np.degrees(ANGLE), {"angles": "degrees"}, 1e-12),
        (np.degrees(-ANGLE), {"angles": "degrees", "clockwise": True}, 1e-12),
        # an angle and the one half a turn on are the same
        (ANGLE + np.pi, {"angles": "radians"}, 1e-12),
        ((np.rint(ANGLE / np.pi * 2**8) % 2**8).astype(np.uint8), {}, np.pi / 2**8),
        ((np.rint(ANGLE / np.pi * 2**16) % 2**16).astype(np.uint16), {"angles": "levels"}, np.pi / 2**16),
        (np.rint(np.degrees(ANGLE)).astype(np.int16), {"angles": "degrees"}, np.radians(1)),
    ],
)
def test_stacks_of_angles_in_every_unit(tmp_path, values, options, tolerance):
    path, size = stack(tmp_path / "angles.tif", values), stack(tmp_path / "order.tif", ORDER)
    found = read_frames(path, **SCALES, order=str(size), **options)
    assert np.abs(found.m1 - M1).max() <= tolerance
    assert found.length == 8.0 and found.times.tolist() == [0.0, 2.0, 4.0] and found.mask is None


def test_order_as_a_number_or_in_whole_numbers(tmp_path):
    path = stack(tmp_path / "angles.tif", ANGLE)
    assert np.allclose(read_frames(path, **SCALES, order="0.3").m1, 0.3 * M1 / np.abs(M1))
    size = stack(tmp_path / "order.tif", np.rint(ORDER * (2**16 - 1)).astype(np.uint16))
    assert np.abs(read_frames(path, **SCALES, order=str(size)).m1 - M1).max() < 1e-5


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize(
    "fields",
    [
        {"D_xx": (1 + M1.real) / 2 * 3, "D_yy": (1 - M1.real) / 2 * 3, "D_xy": M1.imag / 2 * 3},
        {"D_xx": (1 + M1.real) / 2, "D_xy": M1.imag / 2},
        {"Q_xx": M1.real / 2, "Q_xy": M1.imag / 2},
        {"m1_real": M1.real, "m1_imag": M1.imag},
        {"angle": np.angle(M1) / 2, "order": np.abs(M1)},
    ],
)
def test_fields_of_every_kind(tmp_path, suffix, fields):
    found = read_frames(dataset(tmp_path / f"fields{suffix}", **fields))
    assert np.allclose(found.m1, M1)
    assert found.length == 8.0 and found.times.tolist() == [0.0, 2.0, 4.0]


def test_masks_are_in_the_frames_layout_and_hide_what_is_no_number(tmp_path):
    seen = np.zeros((16, 16), np.uint8)
    seen[:5, :9] = 255
    holed = np.where(seen, ANGLE, np.nan)
    path, mask = stack(tmp_path / "angles.tif", holed), tmp_path / "mask.npy"
    np.save(mask, seen)
    found = read_frames(path, **SCALES, order="0.5", mask=mask)
    # the upper rows are those of large y
    assert found.mask is not None and found.mask[0, :9, 11:].all() and found.mask.sum() == 3 * 45
    assert np.isfinite(found.m1).all()
    tifffile.imwrite(tmp_path / "mask.tif", seen)
    again = read_frames(path, **SCALES, order="0.5", mask=tmp_path / "mask.tif")
    assert np.array_equal(again.mask, found.mask)
    finer = found._replace(m1=found.m1.repeat(2, 1).repeat(2, 2), mask=found.mask.repeat(2, 1).repeat(2, 2))
    again = fitted_grid(finer, 16)
    assert np.array_equal(again.m1, found.m1) and np.array_equal(again.mask, found.mask)


def test_other_sides_are_resampled(tmp_path):
    path = stack(tmp_path / "angles.tif", np.angle(resampled(M1, 35)) / 2)
    found = read_frames(path, **SCALES, order="0.5")
    assert fitted_grid(found, None).m1.shape == (3, 34, 34) and found.length == 17.5
    smooth = found._replace(m1=resampled(M1, 80))
    assert np.allclose(fitted_grid(smooth, None).m1, resampled(M1, 64)) and np.allclose(fitted_grid(smooth, 16).m1, M1)


def test_the_units_make_the_diffusions_those_of_the_study():
    units = theory_units(d_t=0.8, d_r=0.01)
    assert (units.time, units.length) == pytest.approx((5.0, 80**0.5))
    assert (0.01 * units.time, 0.8 * units.time / units.length**2) == pytest.approx((0.05, 0.05))
    assert theory_units(0.05, 0.05) == (1.0, 1.0)
    with pytest.raises(ConfigError, match="check --frame-interval and --d-r"):
        check_span(np.array([0.0, 1e6]), units)


@pytest.mark.parametrize(
    ("values", "change", "error", "words"),
    [
        (np.degrees(ANGLE), {}, DataError, "give --angles degrees"),
        (ANGLE, {"angles": "degrees"}, DataError, "give --angles radians"),
        (np.ones((3, 16, 16), np.uint8), {"angles": "radians"}, ConfigError, "no radians"),
        (ANGLE, {"angles": "turns"}, ConfigError, "radians, degrees, levels"),
        (ANGLE, {"angles": "levels"}, ConfigError, "levels are of unsigned"),
        (ANGLE, {"order": None}, ConfigError, "give --order"),
        (ANGLE, {"order": "2"}, DataError, "from 0 to 1"),
        (ANGLE, {"pixel_size": 0.0}, ConfigError, "pixel-size = 0"),
        (ANGLE, {"pixel_size": None}, ConfigError, "give --pixel-size"),
        (ANGLE, {"frame_interval": None}, ConfigError, "give --frame-interval"),
        (ANGLE, {"frame_interval": -1.0}, ConfigError, "frame-interval = -1"),
        (ANGLE[:1], {}, DataError, "1 frames"),
        (np.where(ORDER > 0.5, np.nan, ANGLE), {}, DataError, "no mask hides"),
    ],
)
def test_bad_stacks_are_refused_in_one_line(tmp_path, values, change, error, words):
    path = stack(tmp_path / "angles.tif", values)
    with pytest.raises(error, match=words) as caught:
        read_frames(path, **(SCALES | {"order": "0.5"} | change))
    assert "\n" not in str(caught.value)


def test_bad_fields_are_refused_in_one_line(tmp_path):
    with pytest.raises(DataError, match="Q_xx, Q_xy"):
        read_frames(dataset(tmp_path / "none.nc", other=M1.real))
    path = dataset(tmp_path / "fields.nc", m1_real=M1.real, m1_imag=M1.imag)
    with pytest.raises(ConfigError, match="leave the option out"):
        read_frames(path, frame_interval=3.0)
    uneven = xr.open_dataset(path).load().assign_coords(time=[0.0, 1.0, 3.0])
    uneven.to_netcdf(tmp_path / "uneven.nc", engine="scipy")
    with pytest.raises(DataError, match="not equally spaced"):
        read_frames(tmp_path / "uneven.nc")
    whole = read_frames(path)
    with pytest.raises(ShapeError, match="cut a square of 12 points"):
        fitted_grid(whole._replace(m1=whole.m1[:, :, :12]), None)
    masked = whole._replace(m1=np.tile(whole.m1, (1, 5, 5)), mask=np.ones((3, 80, 80), bool))
    with pytest.raises(ConfigError, match="give --points 80, or 40, or 20, or 16"):
        fitted_grid(masked, None)
    (tmp_path / "cut.tif").write_bytes(stack(tmp_path / "whole.tif", ANGLE).read_bytes()[:-4000])
    with pytest.raises(ScimlError, match="cut"):
        read_frames(tmp_path / "cut.tif", **SCALES, order="0.5")


def test_bad_frames_are_refused_before_jax_is_loaded(tmp_path):
    path = stack(tmp_path / "angles.tif", np.degrees(ANGLE))
    words = ["active-fluid", "infer", str(path), "--order", "0.5", "--pixel-size", "1", "--frame-interval", "1"]
    code = f"import sys; from sciml.cli import main; sys.argv[1:] = {words}\ntry: main()\nfinally: print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2 and "give --angles degrees" in done.stderr and done.stdout.split()[-1] == "False"
