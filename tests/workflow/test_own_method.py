"""A method of a user's own: one file and one entry point, as `docs/add-a-method.md` says."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from trees import ROOT

from sciml.imaging.plugins import method_modules
from sciml.imaging.tasks.catalogue import METHODS, methods_for

PLACE = ROOT / "tests" / "example_method"


@pytest.fixture
def plugin(monkeypatch):
    """The method on the search path, as if it were installed."""
    monkeypatch.syspath_prepend(str(PLACE))
    METHODS.__dict__.pop("_all", None)
    yield
    METHODS.__dict__.pop("_all", None)
    sys.modules.pop("sciml_median", None)


def test_the_file_is_short():
    assert len((PLACE / "sciml_median.py").read_text().splitlines()) < 40


def test_it_stands_in_the_table_of_the_tasks_without_a_framework(plugin, sciml_command):
    code, out, _ = sciml_command("imaging", "tasks")
    assert code == 0 and "median" in out and methods_for("denoise")[-1] == "median" and "median" not in methods_for("deblur")
    program = "import sys; from sciml.imaging.tasks.catalogue import METHODS; print('median' in METHODS, 'torch' in sys.modules)"
    paths = os.pathsep.join([str(PLACE), str(ROOT)])
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    assert result.stdout.split() == ["True", "False"], result.stderr


def test_it_solves_a_file(plugin, sciml_command, tmp_path):
    rows, columns = np.mgrid[:40, :48]
    picture = np.where(rows + columns > 40, 200, 60).astype(np.uint8)
    PIL.Image.fromarray(picture).save(tmp_path / "clean.png")
    noisy = picture + np.random.default_rng(0).normal(0, 20, picture.shape)
    PIL.Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(tmp_path / "noisy.png")
    words = "imaging solve noisy.png --task denoise --option sigma=0.08 --method median --out solved.png"
    assert sciml_command(*words.split())[0] == 0
    found, before = (np.asarray(PIL.Image.open(tmp_path / name), dtype=float) for name in ("solved.png", "noisy.png"))
    padded = np.pad(before, 2, mode="reflect")
    by_hand = np.median([padded[i : 40 + i, j : 48 + j] for i in range(5) for j in range(5)], axis=0)
    assert np.abs(found - by_hand).max() <= 1 and np.abs(found - picture).mean() < 0.4 * np.abs(before - picture).mean()


def test_its_code_is_part_of_what_reaches_it(plugin):
    assert method_modules("sciml.classical.stages.evaluate") == ["sciml_median"]
    assert method_modules("sciml.active_fluid.stages.train") == []


def test_without_it_nothing_is_known_of_it():
    assert "median" not in METHODS and method_modules("sciml.classical.stages.evaluate") == []
