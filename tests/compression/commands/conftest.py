"""A folder of shipped models, and `sciml compression` in an empty folder."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest
from coded_files import PICTURE, Run, save
from typer.testing import CliRunner

from sciml.compression import cli
from sciml.runtime.errors import ScimlError


@pytest.fixture
def shipped(tmp_path, monkeypatch, colour_model) -> Path:
    """A folder of shipped models with one, `photo`."""
    folder = tmp_path / "shipped"
    save(folder / "photo.safetensors", colour_model)
    monkeypatch.setattr("sciml.training.store.ModelStore.folder", folder)
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch, shipped) -> Run:
    """Run a command in an empty folder; returns exit code, standard output and the error or standard error."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def call(*words: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(cli.app, list(map(str, words)))
        if isinstance(result.exception, ScimlError):
            text = str(result.exception)
            assert "\n" not in text
            return result.exception.exit_code, result.stdout, f"{result.stderr}{text}"
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    return call


@pytest.fixture
def coded(run) -> Path:
    PIL.Image.fromarray(PICTURE).save("a.png")
    assert run("encode", "a.png", "a.nic", "--strong")[0] == 0
    return Path("a.nic")
