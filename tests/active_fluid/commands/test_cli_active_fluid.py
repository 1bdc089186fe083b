"""`sciml active-fluid simulate` as a user calls it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from sciml.active_fluid import random_state
from sciml.active_fluid.solvers.store import open_run
from sciml.active_fluid.theory.states import tensor_of_order

BASE = "active-fluid simulate --points 16 --time-step 0.05 --until 1 --save-every 0.5"


@pytest.fixture
def run(sciml_command):
    def call(words: str):
        return sciml_command(*f"{BASE} {words}".split())

    return call


def test_a_run_is_written_told_and_drawn(run, tmp_path):
    code, out, err = run("--alpha -2 --zeta 0.3 --out run.zarr --picture-out run.png")
    assert code == 0 and out.startswith("run.zarr: 3 times to 1, mean order ")
    assert err.count(" saved, order ") == 3 and "2 of 2 saved" in err
    assert err.startswith("20 steps, about 0 s of computing; 3 times of 0.0184 MB, at most 0.0553 MB in all, and ")
    held = open_run(tmp_path / "run.zarr")
    assert held.attrs["alpha"] == -2 and held.attrs["closure"] == "bingham" and held.sizes["time"] == 3
    with PIL.Image.open(tmp_path / "run.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), float)
    assert pixels.std() > 20
    code, out, err = run("--alpha -2 --zeta 0.3 --out run.zarr --picture-out run.png")
    assert code == 0 and "saved, order" not in err


def test_the_kinetic_model_takes_the_modes_that_it_needs(run, tmp_path):
    assert run("--equations kinetic --alpha -2 --zeta 0.25 --out run.zarr")[0] == 0
    assert open_run(tmp_path / "run.zarr").attrs["modes"] == 16
    code, _, err = run("--equations kinetic --zeta 1 --modes 12 --out other.zarr")
    assert code == 2 and "needs at least 18" in err


def test_initial_states_come_from_files_and_runs(run, tmp_path):
    m1 = random_state(16, 7, amplitude=0.3)
    np.save(tmp_path / "m1.npy", m1)
    np.save(tmp_path / "d.npy", tensor_of_order(m1))
    assert run("--initial m1.npy --out one.zarr")[0] == run("--initial d.npy --out two.zarr")[0] == 0
    one, two = open_run(tmp_path / "one.zarr"), open_run(tmp_path / "two.zarr")
    np.testing.assert_allclose(one["m1"], two["m1"], atol=1e-12)
    assert run("--initial one.zarr --closure quadratic --out three.zarr")[0] == 0
    np.testing.assert_allclose(open_run(tmp_path / "three.zarr")["m1"][0], one["m1"][-1], atol=1e-15)


@pytest.mark.slow
def test_friction_and_what_is_imposed_are_options(run, sciml_command, tmp_path):
    assert run("--shear 0.5 --friction 0.2 --out sheared.zarr")[0] == 0
    held = open_run(tmp_path / "sheared.zarr")
    assert held.attrs["shear"] == 0.5 and held.attrs["friction"] == 0.2
    np.testing.assert_allclose(held["vorticity"].mean(("x", "y")), -0.5, atol=1e-12)
    code, _, err = sciml_command("active-fluid", "infer", "sheared.zarr")
    assert code == 2 and "made with a shear" in err
    assert run("--stirring 1 --stirring-period 2 --body-force 0.3 --out stirred.zarr")[0] == 0
    held = open_run(tmp_path / "stirred.zarr")
    assert (held.attrs["stream"], held.attrs["force"]) == ("Cells", "Kolmogorov")
    # cells come to rest after a quarter of their period
    assert float(abs(held["velocity_y"][1]).max()) < 0.2 < 0.5 < float(abs(held["velocity_y"][0]).max())
    code, out, _ = sciml_command(*["active-fluid", "growth-rates", "--alpha", "-2", "--friction", "0.5", "--most", "1"])
    cross = out.splitlines()[-1].split()[2:4]
    k2 = (2 * np.pi / 10) ** 2
    assert code == 0 and cross[0] == cross[1] == f"{0.5 + 4.4 * k2 / (8.8 * k2 + 4) - 0.2 - 0.05 * k2:.8f}"


def test_a_run_that_was_stopped_goes_on(run, tmp_path, monkeypatch):
    from sciml.active_fluid import cli

    def stop(progress):
        if progress.index == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cli, "_teller", lambda: stop)
        code, _, err = run("--out run.zarr")
    assert code == 130 and "run it again to go on" in err
    assert open_run(tmp_path / "run.zarr").sizes["time"] == 2
    code, _, err = run("--out run.zarr")
    assert code == 0 and err.count(" saved, order ") == 1


def test_a_netcdf_file_is_written_at_the_end_of_a_run_that_goes_on(run, tmp_path, monkeypatch):
    from sciml.active_fluid import cli

    def stop(progress):
        if progress.index == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cli, "_teller", lambda: stop)
        assert run("--out run.nc --fields m1,vorticity")[0] == 130
    assert not (tmp_path / "run.nc").exists()
    code, out, err = run("--out run.nc --fields m1,vorticity")
    assert code == 0 and out.startswith("run.nc: 3 times to 1, mean order") and err.count(" saved, order ") == 1
    assert run("--out run.zarr")[0] == 0
    np.testing.assert_array_equal(open_run(tmp_path / "run.nc")["m1"], open_run(tmp_path / "run.zarr")["m1"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.nc", "run.zarr"]
    code, _, err = run("--out run.nc")
    assert code == 2 and "--force writes over it" in err
    assert run("--out more.zarr --initial run.nc")[0] == 0 and run("--out run.nc --force")[0] == 0


WRONG = {
    "--out x.zarr --points 15": "even number of at least 16",
    "--out x.zarr --model boltzmann": "kinetic or coarse",
    "--out x.zarr --closure cubic": "burg, neural, second or neural:NAME",
    "--out x.zarr --equations kinetic --closure bingham": "no closure",
    "--out x.zarr --equations kinetic --modes many": "whole number or auto",
    "--out x.zarr --picture-out x.jpg": ".png",
    "--out x.zarr --initial absent.npy": "absent.npy",
    "--out x.zarr --initial absent.zarr": "no such file: absent.zarr",
    "--out x.zarr --initial text.npy": "text.npy",
    "--out x.zarr --initial pickled.npy": "pickled.npy",
    "--out x.zarr --d-r 0": "d_r = 0",
    "--out x.zarr --friction -1": "friction = -1",
    "--out x.zarr --shear 1 --stirring 1": "one or the other",
    "--out x.zarr --strain 1": "16 points last to time 0",
    "--out x.zarr --stirring-period 2": "goes with --stirring",
    "--out x.zarr --until 0.7": "no whole number",
    "--out x.zarr --fields m1,speed": "no field is called 'speed'",
    "--out x.zarr --fields m1 --picture-out x.png": "the picture shows m1 and vorticity",
    "--out x.zarr --precision half": "double or single",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_said_in_one_line(run, tmp_path, words):
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    code, _, err = run(words)
    assert code == 2 and err.count("sciml: error:") == 1 and WRONG[words] in err
    assert not (tmp_path / "x.zarr").exists()


def test_the_help_teaches_and_loads_no_framework():
    program = (
        "import sys, contextlib\nfrom sciml import cli\nsys.argv = ['sciml', 'active-fluid', 'simulate', '--help']\n"
        "with contextlib.suppress(SystemExit):\n    cli.main()\nprint(sorted({'jax', 'numpy', 'torch'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr
    assert "Examples:" in result.stdout and "--initial" in result.stdout
