"""The commands beside `simulate`: growth rates, inference and the parts of the study."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import tifffile

from sciml.active_fluid.theory.states import random_state


def test_growth_rates_are_printed_and_written(sciml_command, tmp_path):
    path = tmp_path / "rates.csv"
    code, out, err = sciml_command(
        *["active-fluid", "growth-rates", "--alpha", "-2", "--zeta", "0.3", "--most", "2", "--out"], path
    )
    assert code == 0, err
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["n"] for row in rows] == ["0", "1", "2"] and "cross_operator" in out
    # sigma_cross = (zeta (8 + 2 beta) - 2 alpha) / (8 + beta) - 4 d_r - d_t k^2
    for row in rows:
        expected = (0.3 * 9.6 + 4) / 8.8 - 0.2 - 0.05 * float(row["k"]) ** 2 if row["n"] != "0" else 0.1
        assert float(row["cross"]) == pytest.approx(expected, abs=1e-8)
        assert float(row["cross_operator"]) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["growth-rates", "--d-r", "-1"], "d_r = -1"),
        (["growth-rates", "--closure", "nothing"], "nothing"),
        (["infer", "absent.npz"], "absent.npz"),
        (["infer", "absent.zarr"], "absent.zarr"),
        (["train", "--out", "here", "--closure", "unknown", "--tier", "ci"], "no closure is called 'unknown'"),
        (["train", "--out", "here", "--set", "active_fluid.sedes=1"], "active_fluid.sedes"),
        (["report", "absent"], "no such file: absent"),
        (["evaluate", "--out", "here", "--tier", "huge"], "no tier is called 'huge'"),
    ],
)
def test_mistakes_are_told_in_one_line(sciml_command, words, message):
    code, _, err = sciml_command("active-fluid", *words)
    assert code == 2
    assert message in err and "Traceback" not in err


def test_snapshots_are_checked_before_anything_is_fitted(sciml_command, tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, m1=np.zeros((3, 16, 16), complex), times=np.array([0.0, 1.0, 2.0]))
    code, _, err = sciml_command("active-fluid", "infer", path, "--at", "0.5", "--closure", "bingham")
    assert code == 2 and "no snapshot at time 0.5" in err
    np.savez(path, m1=np.array([None, 1], dtype=object), times=np.zeros(2))
    code, _, err = sciml_command("active-fluid", "infer", path, "--closure", "bingham")
    assert code == 2 and "cannot read m1 and times" in err
    np.savez(path, m1=np.zeros((1, 16, 16), complex), times=np.zeros(1))
    code, _, err = sciml_command("active-fluid", "infer", path, "--closure", "bingham")
    assert code == 2 and "snapshot" in err


@pytest.mark.slow
def test_frames_that_are_a_part_of_a_larger_flow_end_in_a_warning(sciml_command, tmp_path):
    part = np.stack([a * random_state(32, 3, 0.5)[4:20, 4:20] for a in (1.0, 1.1, 1.2)])
    picture = part.transpose(0, 2, 1)[:, ::-1]
    for name, values in (("angle", np.degrees(np.angle(picture) / 2)), ("order", np.abs(picture))):
        tifffile.imwrite(tmp_path / f"{name}.tif", values, photometric="minisblack")
    code, out, err = sciml_command(
        *["active-fluid", "infer", tmp_path / "angle.tif", "--angles", "degrees", "--order", tmp_path / "order.tif"],
        *["--pixel-size", "3.125", "--frame-interval", "2.5", "--d-r", "0.01", "--d-t", "0.25", "--closure", "bingham"],
        *["--out", tmp_path / "found.json", "--picture-out", tmp_path / "found.png"],
    )
    assert code == 0, err
    assert "warning: The fields do not close on themselves" in err and "per time of the data" in out
    found = json.loads((tmp_path / "found.json").read_text())
    # fields that do not close leak into every wave and pass for noise: chi^2 alone would not tell
    assert found["goodness"]["verdict"] == "not periodic"
    assert found["theory_units"] == {"time": 5.0, "length": 5.0}
    # 0.05 / d_r is 5: a rate per time of the data is a fifth of that per unit of the theory
    assert found["per_time_of_the_data"]["alpha"][0] == pytest.approx(found["alpha"] / 5)
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")
