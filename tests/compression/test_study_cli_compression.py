"""`sciml compression train`: a model from a folder of pictures, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sciml.compression import Codec
from sciml.compression.pools import FOLDER, pictures
from sciml.compression.study_cli import train_command
from sciml.runtime.errors import DataError

SMALL = ("domains.photo.crop_size=32", "networks.photo.steps=4", "networks.photo.crop_size=32")


def write_pictures(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        waves = np.sin(np.arange(80)[:, None] / (2 + number) + np.arange(96) / (3 + number))
        pixels = np.stack([waves, waves[::-1], -waves], -1) * 90 + 128
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")


@pytest.mark.slow
def test_a_model_is_learned_from_a_folder_and_codes(tmp_path: Path) -> None:
    import typer

    write_pictures(tmp_path / "own", 7)
    app = typer.Typer()
    app.command()(train_command)
    options = [part for one in SMALL for part in ("--set", f"compression.{one}")]
    result = CliRunner().invoke(app, [str(tmp_path / "own"), "--out", str(tmp_path / "model"), "--tier", "ci", *options])
    assert result.exit_code == 0, result.output
    codec = Codec.load(tmp_path / "model" / "train" / "model.safetensors")
    assert codec.model.name == "mine" and codec.model.network is not None
    picture = np.asarray(Image.open(tmp_path / "own" / "3.png"))
    error = np.mean((codec.decode(codec.encode(picture, quality=60)).astype(float) - picture) ** 2)
    assert error < 0.01 * picture.var()


def test_every_sixth_picture_of_a_folder_validates(tmp_path: Path) -> None:
    write_pictures(tmp_path / "own", 13)
    names = {
        role: [Path(name).name for name, _ in pictures(f"{FOLDER}{tmp_path / 'own'}", role, "ci", 3)]
        for role in ("train", "validation")
    }
    assert len(names["train"]) == 11 and len(names["validation"]) == 2 and not set(names["train"]) & set(names["validation"])


def test_too_few_pictures_and_test_pictures_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "own", 4)
    with pytest.raises(DataError, match=r"4 pictures .*at least 5"):
        list(pictures(f"{FOLDER}{tmp_path / 'own'}", "train", "ci", 3))
    write_pictures(tmp_path / "more", 6)
    monkeypatch.setattr("sciml.compression.pools.digest_file", lambda path: _digest_of("kodim23"))
    with pytest.raises(DataError, match="test picture kodim23"):
        list(pictures(f"{FOLDER}{tmp_path / 'more'}", "train", "ci", 3))


def _digest_of(name: str) -> str:
    from sciml.datasets.manifest import record

    return record(name).sha256
