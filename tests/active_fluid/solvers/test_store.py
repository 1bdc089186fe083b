"""Runs on disk: whole after any stop, equal to the byte, and safe to read."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from sciml.active_fluid import CoarseSolver, Parameters, QuadraticClosure
from sciml.active_fluid.solvers.causes import StoppedRun
from sciml.active_fluid.solvers.netcdf import real_parts
from sciml.active_fluid.solvers.store import open_run
from sciml.runtime.errors import ConfigError, DataError, NumericalError
from sciml.runtime.files import digest_tree, load_tensors, save_tensors


@pytest.fixture
def run(coarse, m1, tmp_path):
    """Return a call that runs the coarse solver into a store."""

    def call(name="run.zarr", until=1.0, **more) -> xr.Dataset:
        return coarse.run(m1, until, 0.25, store=tmp_path / name, **more)

    return call


class Killed(BaseException):
    pass


def killed_after(index: int, kind: type[BaseException] = Killed):
    def on_save(progress):
        if progress.index == index:
            raise kind

    return on_save


def test_a_store_is_the_run_and_plain_xarray_reads_it(run, coarse, m1, tmp_path, recwarn):
    stored, kept = run(), coarse.run(m1, 1.0, 0.25)
    xr.testing.assert_identical(stored.load(), kept)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = xr.open_zarr(tmp_path / "run.zarr")
        xr.testing.assert_equal(plain.load(), kept)
    assert plain["m1"].attrs["units"] == "1"
    assert zarr.open_group(tmp_path / "run.zarr", mode="r")["m1"].chunks == (1, 16, 16)  # pyright: ignore
    assert not [warning for warning in recwarn if "zarr" in str(warning.message).lower()]


@pytest.mark.parametrize("kind", [Killed, KeyboardInterrupt])
@pytest.mark.parametrize("index", [0, 1, 3])
def test_a_stopped_run_goes_on_to_the_same_bytes(run, tmp_path, index, kind):
    run("whole.zarr")
    with pytest.raises(kind):
        run(on_save=killed_after(index, kind))
    partial = open_run(tmp_path / "run.zarr")
    assert partial.sizes["time"] == index + 1
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "run.zarr").load(), partial.load())
    seen = []
    run(on_save=seen.append)
    assert [progress.index for progress in seen] == list(range(index + 1 if index else 0, 5))
    assert digest_tree(tmp_path / "run.zarr") == digest_tree(tmp_path / "whole.zarr")


def test_a_kinetic_run_goes_on_to_the_same_bytes(kinetic, m1, tmp_path):
    density = 1 + 0.1 * np.cos(2 * np.pi * np.arange(16) / 16)[:, None] * np.ones(16)
    start = {"m1": m1 * density, "density": density}
    kinetic.run(start, 0.4, 0.1, tmp_path / "whole.zarr")
    with pytest.raises(Killed):
        kinetic.run(start, 0.4, 0.1, tmp_path / "run.zarr", killed_after(2))
    kinetic.run(start, 0.4, 0.1, tmp_path / "run.zarr")
    assert digest_tree(tmp_path / "run.zarr") == digest_tree(tmp_path / "whole.zarr")


@pytest.mark.parametrize("place", ["append", "resize"])
def test_a_kill_in_the_midst_of_a_saved_time_loses_that_one_only(run, tmp_path, monkeypatch, place):
    run("whole.zarr")
    done = []

    def broken(self, *given, original=zarr.Array.resize):
        done.append(self.name)
        if len(done) == 23:
            raise Killed
        original(self, *given)
        if place == "append" and len(done) == 22:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Array, "resize", broken)
        with pytest.raises(Killed):
            run()
    assert open_run(tmp_path / "run.zarr").sizes["time"] == 3
    # arrays of unequal length are on the disk; plain xarray sees the whole times
    assert xr.open_zarr(tmp_path / "run.zarr").load().sizes["time"] == 3
    run()
    assert digest_tree(tmp_path / "run.zarr") == digest_tree(tmp_path / "whole.zarr")


@pytest.mark.slow
def test_a_process_that_is_killed_goes_on_to_the_same_bytes(tmp_path):
    words = "active-fluid simulate --equations kinetic --points 32 --zeta 0.25 --until 2 --save-every 0.25 --fields m1 --out"
    command = [sys.executable, "-m", "sciml.cli", *words.split()]
    subprocess.run([*command, "whole.zarr"], cwd=tmp_path, check=True, capture_output=True)
    with subprocess.Popen([*command, "run.zarr"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if " 3 of 8 saved" in line)
        process.kill()
    assert 4 <= open_run(tmp_path / "run.zarr").sizes["time"] < 9
    subprocess.run([*command, "run.zarr"], cwd=tmp_path, check=True, capture_output=True)
    assert digest_tree(tmp_path / "run.zarr") == digest_tree(tmp_path / "whole.zarr")


def test_a_later_end_goes_on_and_an_earlier_one_reads(run, tmp_path):
    run("whole.zarr", until=2.0)
    run()
    seen = []
    run(until=2.0, on_save=seen.append)
    assert [progress.index for progress in seen] == [5, 6, 7, 8]
    assert digest_tree(tmp_path / "run.zarr") == digest_tree(tmp_path / "whole.zarr")
    assert run(until=0.5, on_save=killed_after(0)).sizes["time"] == 3


def test_a_store_without_consolidated_metadata_reads_and_goes_on(run, tmp_path):
    run("whole.zarr", until=2.0)
    run()
    path = tmp_path / "run.zarr/zarr.json"
    content = json.loads(path.read_text())
    del content["consolidated_metadata"]
    path.write_text(json.dumps(content))
    assert open_run(tmp_path / "run.zarr").sizes["time"] == 5
    run(until=2.0)
    assert digest_tree(tmp_path / "run.zarr") == digest_tree(tmp_path / "whole.zarr")


def test_chosen_fields_alone_are_saved_and_told_before(run, coarse, m1, tmp_path):
    told = []
    whole, some = run("whole.zarr"), run("some.zarr", fields=["vorticity", "m1"], on_start=told.append)
    xr.testing.assert_equal(some.load(), whole[["m1", "vorticity"]].load())
    (estimate,) = told
    assert (estimate.steps, estimate.frames, estimate.frame_bytes) == (20, 5, 16**2 * (16 + 8)) and estimate.seconds > 0
    assert estimate.carry_bytes == sum(
        array.nbytes for array in load_tensors(tmp_path / "some.zarr/carry/state.safetensors")[0].values()
    )
    assert [*coarse.run(m1, 0.25, 0.25, fields=["m2"]).data_vars] == ["m2"]
    with pytest.raises(ConfigError, match="fields = None"):
        run("whole.zarr", fields=["m1"])
    with pytest.raises(ConfigError, match="no field is called 'speed': a run has density, m1"):
        run("none.zarr", fields=["speed"])


@pytest.mark.parametrize("precision", ["double", "single"])
def test_netcdf_gives_the_complex_fields_back(parameters, m1, tmp_path, precision):
    held = CoarseSolver(parameters, points=16, time_step=0.05, precision=precision).run(m1, 0.5, 0.25)
    held.attrs["warnings"] = ["one", "two"]
    real_parts(held).to_netcdf(tmp_path / "run.nc")
    again = open_run(tmp_path / "run.nc")
    xr.testing.assert_identical(again, held)
    assert again.attrs == held.attrs and [*again] == [*held]
    assert again["m1"].values.tobytes() == held["m1"].values.tobytes() and again["m1"].dtype == held["m1"].dtype
    plain = xr.open_dataset(tmp_path / "run.nc")
    np.testing.assert_array_equal(plain["m1_real"] + 1j * plain["m1_imag"], held["m1"])
    for damage in (truncate, lambda path: path.write_bytes(b"CDF"), lambda path: xr.Dataset({"m1": 1.0}).to_netcdf(path)):
        damage(tmp_path / "run.nc")
        with pytest.raises(DataError) as caught:
            open_run(tmp_path / "run.nc")
        assert "\n" not in str(caught.value)


def test_another_run_s_store_is_refused(run, coarse, m1, tmp_path):
    run()
    path = tmp_path / "run.zarr"
    others = {
        "alpha": (dataclasses.replace(coarse, parameters=Parameters(-2.1, 0.3)), m1, 0.25),
        "time_step": (dataclasses.replace(coarse, time_step=0.02), m1, 0.25),
        "closure": (dataclasses.replace(coarse, closure=QuadraticClosure()), m1, 0.25),
        "precision": (dataclasses.replace(coarse, precision="single"), m1, 0.25),
        "initial_digest": (coarse, 0.9 * m1, 0.25),
        "save_every": (coarse, m1, 0.5),
    }
    before = digest_tree(path)
    for name, (solver, start, every) in others.items():
        with pytest.raises(ConfigError, match=f"made with {name} = .* not .*choose another name") as caught:
            solver.run(start, 1.0, every, store=path)
        assert "\n" not in str(caught.value)
    assert digest_tree(path) == before


def test_an_invalid_run_is_marked_and_not_taken_up(coarse, m1, broken, tmp_path):
    solver = dataclasses.replace(coarse, closure=broken(0.55, 3.0 + 0j))
    start, path = m1 * (0.5 / np.abs(m1).max()), tmp_path / "run.zarr"
    with pytest.raises(StoppedRun) as caught:
        solver.run(start, 20.0, 1.0, store=path)
    held = open_run(path)
    assert held.attrs["invalid"] == str(caught.value)
    assert float(held["time"][-1]) == pytest.approx(caught.value.time - 0.05)
    xr.testing.assert_identical(caught.value.partial.load(), held.load())
    with pytest.raises(NumericalError, match=r"was stopped: .* choose another name"):
        solver.run(start, 20.0, 1.0, store=path)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))


def edit(path: Path, **changes) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | changes))


DAMAGE = {
    "a truncated chunk": lambda path: truncate(path / "m1/c/2/0/0"),
    "a flipped bit": lambda path: flip(path / "vorticity/c/1/0/0"),
    "a missing chunk": lambda path: (path / "m2/c/0/0/0").unlink(),
    "a truncated description": lambda path: truncate(path / "m1/zarr.json"),
    "a truncated group": lambda path: truncate(path / "zarr.json"),
    "no description": lambda path: (path / "time/zarr.json").unlink(),
    "another type": lambda path: edit(path / "m1/zarr.json", data_type="string"),
    "a codec that could run code": lambda path: edit(path / "m1/zarr.json", codecs=[{"name": "numcodecs.pickle"}]),
    "an array of the second format": lambda path: edit(path / "m1/zarr.json", zarr_format=2),
    "a huge shape": lambda path: edit(path / "m1/zarr.json", shape=[5, 10**9, 10**9]),
    "no format": lambda path: edit(path / "zarr.json", attributes={}),
    "no group": lambda path: shutil.rmtree(path),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_store_is_a_data_error(run, tmp_path, name):
    run()
    DAMAGE[name](tmp_path / "run.zarr")
    with pytest.raises(DataError) as caught:
        open_run(tmp_path / "run.zarr")
    assert "\n" not in str(caught.value)
    if name != "no group":
        with pytest.raises(DataError):
            run()


def test_a_damaged_or_foreign_carry_is_a_data_error(run, tmp_path):
    run()
    carry = tmp_path / "run.zarr/carry/state.safetensors"
    tensors, record = load_tensors(carry)
    for wrong in (record | {"frames": 99}, record | {"frames": "many"}, {}):
        save_tensors(carry, tensors, wrong)
        with pytest.raises(DataError, match="does not belong to this run"):
            run()
    save_tensors(carry, tensors | {"state": tensors["state"][:, :8]}, record)
    with pytest.raises(DataError, match="does not belong to this run"):
        run()
    carry.write_bytes(carry.read_bytes()[:100])
    with pytest.raises(DataError):
        run()


def test_a_name_that_is_taken_is_refused(coarse, m1, tmp_path):
    (tmp_path / "file").write_text("text")
    (tmp_path / "folder").mkdir()
    for name in ("file", "folder"):
        with pytest.raises(DataError):
            coarse.run(m1, 0.25, 0.25, store=tmp_path / name)
    assert (tmp_path / "file").read_text() == "text"


def test_a_store_in_single_precision_goes_on_too(coarse, m1, tmp_path):
    solver = CoarseSolver(coarse.parameters, points=16, time_step=0.05, precision="single")
    solver.run(m1, 0.5, 0.25, store=tmp_path / "whole.zarr")
    solver.run(m1, 0.25, 0.25, store=tmp_path / "run.zarr")
    assert solver.run(m1, 0.5, 0.25, store=tmp_path / "run.zarr")["m1"].dtype == np.complex64
    assert digest_tree(tmp_path / "run.zarr") == digest_tree(tmp_path / "whole.zarr")
