"""Files of the repository decode to the same codes on every machine, with any kernels and any number of threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import golden_files
import numpy as np
import pytest
import reference_decoder as reference

from sciml.compression.codecs.codec import Codec
from sciml.compression.codecs.model_files import load_model
from sciml.compression.container.file import read_container, tile_layout

NAMES = ("alpha", "colour", "extreme", "floats", "groups/colour", "groups/tiles", "sixteen", "tiles")


@pytest.fixture(scope="module", autouse=True)
def _regenerated() -> None:
    if os.environ.get("SCIML_REGENERATE_GOLDEN"):
        golden_files.regenerate()


@pytest.fixture(scope="module")
def wanted() -> dict[str, str]:
    return json.loads(golden_files.CODES.read_text())


def simd_features() -> str:
    """Return all that numpy found beyond its baseline on this machine, to be switched off."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])  # pyright: ignore[reportOptionalSubscript, reportIndexIssue]
    return " ".join(found)


SURROUNDINGS = {
    "one thread": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    "two threads": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
    "baseline numpy": {"NPY_DISABLE_CPU_FEATURES": simd_features()},
    "Prescott kernels": {"OPENBLAS_CORETYPE": "Prescott"},
    "Haswell kernels": {"OPENBLAS_CORETYPE": "Haswell"},
    "Prescott kernels and baseline numpy": {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": simd_features()},
}
# these differ most from the process of the tests
FAST = ("two threads", "Prescott kernels and baseline numpy")


def test_golden_files_are_small_and_complete(wanted: dict[str, str]) -> None:
    assert max(golden_files.MODEL.stat().st_size, golden_files.GROUPS.stat().st_size) < 300_000
    assert sorted(wanted) == [f"{name}.nic" for name in NAMES]
    assert sum((golden_files.FOLDER / name).stat().st_size for name in wanted) < 40_000
    largest = 0
    for name in wanted:
        codec = Codec.load(golden_files.model_of(name))
        largest = max(largest, *(int(np.abs(codes).max()) for codes in codec.codes((golden_files.FOLDER / name).read_bytes())))
    # remainders are among them
    assert largest > 2**10


def test_codes_of_golden_files(wanted: dict[str, str]) -> None:
    assert golden_files.decoded() == wanted


@pytest.mark.parametrize("name", NAMES)
def test_the_decoder_in_python_agrees(name: str, wanted: dict[str, str]) -> None:
    arrays = load_model(golden_files.model_of(name)).arrays()
    container = read_container((golden_files.FOLDER / f"{name}.nic").read_bytes())
    codes = []
    for tile, layers in zip(tile_layout(container.header).tiles, container.tiles, strict=True):
        rows, columns = -(-tile.height // 16), -(-tile.width // 16)
        codes.append(np.array(reference.decode_tile(arrays, container.header.quality, layers, rows, columns), np.int32))
    assert golden_files.codes_digest(codes) == wanted[f"{name}.nic"]
    assert golden_files.codes_digest(codes) == f"{container.header.codes_crc:08x}"


@pytest.mark.parametrize("names", [FAST, pytest.param(tuple(set(SURROUNDINGS) - set(FAST)), marks=pytest.mark.slow)])
def test_codes_are_the_same_in_other_surroundings(names: tuple[str, ...], wanted: dict[str, str]) -> None:
    root = Path(golden_files.__file__).parents[2]
    wrong = {}
    for name in names:
        surroundings = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", **SURROUNDINGS[name]}
        words = [sys.executable, golden_files.__file__]
        ended = subprocess.run(words, env=surroundings, capture_output=True, text=True, timeout=300, check=False)
        if ended.returncode or json.loads(ended.stdout) != wanted:
            wrong[name] = ended.stderr or ended.stdout
    assert not wrong


def test_blas_may_sum_in_any_layout(wanted: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    from sciml.compression.entropy.context import Context

    mean_basis, spread_basis = Context.mean_basis, Context.spread_basis
    # columns first, and every second number of an array twice as wide
    monkeypatch.setattr(Context, "mean_basis", lambda self: np.asfortranarray(mean_basis(self)))
    monkeypatch.setattr(Context, "spread_basis", lambda self, sources: np.repeat(spread_basis(self, sources), 2, axis=1)[:, ::2])
    assert golden_files.decoded() == wanted
