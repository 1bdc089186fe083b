"""One slice of a volume, one field of a data set: what is read, what is refused, and the way through a `.nic` file and back."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import xarray

from sciml.batch import find
from sciml.compression.codecs.model_files import save_model
from sciml.compression.coding.model import CodecModel, StepSet
from sciml.compression.coding.transform import fit_transform
from sciml.compression.commands.decode import DecodeOrder, decode_files
from sciml.compression.commands.encode import EncodeOrder, encode_files, unit_that_fits
from sciml.compression.commands.study import checked_range
from sciml.compression.entropy.context import Grid
from sciml.compression.fitting.scalar import Fit
from sciml.formats.parts import parse_part
from sciml.formats.pictures import read_picture
from sciml.formats.write import check_form
from sciml.runtime.errors import ConfigError, DataError, FormatError

MOST = 2**20
SHAPE = (3, 40, 48)
WAVES = np.sin(np.arange(48) / 5 + np.arange(40)[:, None] / 7)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def dataset() -> xarray.Dataset:
    values = np.stack([1e-3 * WAVES, 2e-3 * WAVES, 4e-3 * WAVES])
    axes = ("time", "x", "y")
    return xarray.Dataset(
        {"vorticity": (axes, values, {"units": "1/s"}), "speed": (axes, values + 1), "phase": (axes, values * 1j), "end": 3.0}
    )


def test_a_slice_of_a_volume_is_named_by_its_axis() -> None:
    volume = np.random.default_rng(0).random((6, 7, 8)).astype(np.float32)
    # right, anterior, superior in the file: as it is read, the first axis runs from feet to head
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), "head.nii.gz")
    found = read_picture(Path("head.nii.gz"), MOST, part="axial=3")
    assert found.array.shape == (7, 6) and found.array.dtype == np.float32 and "axial slice 3 of 8" in found.notes[0]
    np.testing.assert_allclose(np.sort(found.array, None), np.sort(volume[:, :, 3], None))
    assert read_picture(Path("head.nii.gz"), MOST, part="sagittal=-1").array.shape == (8, 7)
    for part in (None, "head", "axial=1,coronal=2", "time=3"):
        with pytest.raises(
            ConfigError, match="say which slice with --part, one of axial=0 to 7, coronal=0 to 6, sagittal=0 to 5"
        ):
            read_picture(Path("head.nii.gz"), MOST, part=part)
    with pytest.raises(ConfigError, match="8 places along axial: 8 is not"):
        read_picture(Path("head.nii.gz"), MOST, part="axial=8")


@pytest.mark.parametrize("name", ["run.nc", "run.zarr"])
def test_a_field_is_named_by_variable_and_places(name: str) -> None:
    data = dataset().drop_vars("phase") if name.endswith(".nc") else dataset()
    data.to_netcdf(name, engine="scipy") if name.endswith(".nc") else data.to_zarr(name, consolidated=False)
    found = read_picture(Path(name), MOST, part="vorticity,time=-1")
    assert found.unit == "1/s" and "vorticity, time -1" in found.notes[0]
    np.testing.assert_allclose(found.array, 4e-3 * WAVES, rtol=1e-6)
    refused = {
        None: "holds the fields .*name one with --part",
        "swirl": "holds the fields .*name one",
        "vorticity": "add to --part time=0 to 2",
        "vorticity,time=3": "3 places along time: 3 is not",
        "vorticity,z=0": "has no axis z: its axes are time, x, y",
    }
    for part, words in refused.items():
        with pytest.raises(ConfigError, match=words):
            read_picture(Path(name), MOST, part=part)


def test_neighbouring_slices_of_a_volume_are_named_by_a_range() -> None:
    nibabel.save(nibabel.Nifti1Image(np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6), np.eye(4)), "head.nii.gz")
    single = [read_picture(Path("head.nii.gz"), MOST, part=f"axial={number}").array for number in (1, 2, 3)]
    found = read_picture(Path("head.nii.gz"), MOST, part="axial=1:4")
    np.testing.assert_array_equal(found.array, np.stack(single, -1))
    assert "axial slices 1 to 3 of 6" in found.notes[0]
    for part in ("axial=3:3", "axial=4:7", "axial=-2:1"):
        with pytest.raises(ConfigError, match="it has 6, 0:6 are all of them"):
            read_picture(Path("head.nii.gz"), MOST, part=part)
    dataset().drop_vars("phase").to_netcdf("run.nc", engine="scipy")
    with pytest.raises(ConfigError, match="a field is one picture"):
        read_picture(Path("run.nc"), MOST, part="vorticity,time=0:2")


def test_files_of_one_picture_have_no_part_and_damage_is_told() -> None:
    np.save("a.npy", WAVES)
    with pytest.raises(ConfigError, match="is one picture: leave it out"):
        read_picture(Path("a.npy"), MOST, part="axial=3")
    Path("bad.zarr").mkdir()
    with pytest.raises(FormatError, match=r"bad\.zarr cannot be read as \.zarr"):
        read_picture(Path("bad.zarr"), MOST, part="a")
    with pytest.raises(DataError, match="no such file"):
        read_picture(Path("none.zarr"), MOST, part="a")
    for part in ("a,b", "time=x", "vorticity,time=1.5"):
        with pytest.raises(ConfigError, match="expected a variable, places such as time=3"):
            parse_part(part)


def test_a_store_is_one_file_of_a_folder() -> None:
    Path("runs").mkdir()
    dataset().to_zarr("runs/a.zarr", consolidated=False)
    for words in (["runs"], ["runs/a.zarr"], ["runs/*.zarr"]):
        assert [one.path.name for one in find(words, (".zarr", ".json"))] == ["a.zarr"]


def test_a_field_goes_through_a_file_and_keeps_its_unit() -> None:
    picture = np.pad(WAVES / WAVES.std(), ((0, 8), (0, 0)), mode="wrap").astype(np.float32)[..., None]
    transform = fit_transform([picture])
    planes = transform.forward(picture).reshape(256, -1) / np.float32(0.05)
    model = CodecModel("flow", transform, 0.0, 1.0, (StepSet(0.05, *Fit(planes, Grid(3, 3, 1)).run()),))
    save_model(Path("flow.safetensors"), model, config={}, seed=0, inputs={}, source_digest="0" * 64, cpu_minutes=0.0)
    dataset().to_zarr("run.zarr", consolidated=False)
    lines: list[str] = []
    order = EncodeOrder("flow.safetensors", quality=90, part="vorticity,time=1")
    encode_files(["run.zarr"], Path("a.nic"), order, lines.append)
    decode_files(["a.nic"], Path("a.nc"), DecodeOrder("flow.safetensors"), lines.append)
    with xarray.open_dataset("a.nc") as found:
        assert found["picture"].attrs["units"] == "1/s"
        error = float(np.std(found["picture"].values - 2e-3 * WAVES)) / float(np.std(2e-3 * WAVES))
    assert error < 0.03
    with pytest.raises(ConfigError, match="NetCDF is written for floats"):
        check_form(Path("a.nc"), "u16", 1)


def test_units_that_no_header_holds_are_left_out_and_windows_are_in_order() -> None:
    assert unit_that_fits("m s-1") == "m s-1" and unit_that_fits("kg m-3 per long unit") == "" and unit_that_fits("a\nb") == "ab"
    assert checked_range((-160.0, 240.0)) == (-160.0, 240.0) and checked_range(None) is None
    with pytest.raises(ConfigError, match="the lower number first"):
        checked_range((5.0, 5.0))
