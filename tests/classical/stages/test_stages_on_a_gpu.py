"""The heavy stages at their least size, as the workflow calls them: a GPU gives what the processor gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sciml.runtime.files import load_tensors, read_json
from sciml.settings import load, slice_of

pytestmark = pytest.mark.gpu
METHODS = json.dumps({"methods": ["tv", "wavelet-l1"]})


def stage(name: str, output: Path, *options: str, config: str = METHODS) -> Path:
    """Run one stage command in a process of its own; return its folder."""
    command = [sys.executable, "-c", "from sciml.cli import main; main()", "imaging", "stage", name, "--config", config]
    result = subprocess.run(
        [*command, "--output", str(output), *options],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return output


@pytest.mark.parametrize("task", ["denoise", "ct-sparse"])
def test_a_card_tunes_and_solves_like_the_processor(task, tmp_path, need_data):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA card")
    config = json.loads(slice_of(load("ci"), "imaging", "measure", task)) | {"size": [32, 32], "test_images": 1}
    need_data(*config["digests"])
    measured = str(stage("measure", tmp_path / "measure", config=json.dumps(config)) / "measurements.safetensors")
    curves, pictures = [], []
    for gpu in ("0", "1"):
        options = ("--measurements", measured, "--gpu", gpu)
        stage("tune", tmp_path / f"tune-{gpu}", *options)
        # the same parameters for both: a flat optimum may be found beside itself
        parameters = str(tmp_path / "tune-0" / "parameters.json")
        folder = stage("solve", tmp_path / f"solve-{gpu}", *options, "--parameters", parameters)
        found = read_json(tmp_path / f"tune-{gpu}" / "parameters.json")
        curves.append(
            {
                (variant, method, point["value"]): point["psnr_db"]
                for variant, methods in found.items()
                for method, tuned in methods.items()
                for point in tuned["curve"]
            }
        )
        pictures.append(load_tensors(folder / "reconstructions.safetensors")[0])
    shared = curves[0].keys() & curves[1].keys()
    assert len(shared) >= 4
    assert {key: curves[1][key] for key in shared} == pytest.approx({key: curves[0][key] for key in shared}, rel=1e-3)
    assert pictures[0].keys() == pictures[1].keys() and pictures[0]
    for name, picture in pictures[0].items():
        np.testing.assert_allclose(pictures[1][name], picture, atol=1e-3, err_msg=name)
