"""`sciml compression train`: a model from a folder of pictures, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_models import write_pictures
from typer.testing import CliRunner

from sciml.compression import Channel, Codec
from sciml.compression.commands.study import train_command
from sciml.compression.fitting.pools import FOLDER, pictures
from sciml.runtime.errors import ConfigError, DataError

SMALL = ("domains.photo.crop_size=32", "networks.photo.steps=4", "networks.photo.crop_size=32")


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
    monkeypatch.setattr("sciml.compression.fitting.pools.digest_file", lambda path: _digest_of("kodim23"))
    with pytest.raises(DataError, match="test picture kodim23"):
        list(pictures(f"{FOLDER}{tmp_path / 'more'}", "train", "ci", 3))


def _digest_of(name: str) -> str:
    from sciml.datasets.manifest import record

    return record(name).sha256


def learn(folder: Path, out: Path, *options: str):
    import typer

    app = typer.Typer()
    app.command()(train_command)
    return CliRunner().invoke(app, [str(folder), "--out", str(out), "--tier", "ci", *options])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["slices", "fields"])
def test_a_model_of_slices_or_fields_is_learned_by_the_same_rule(tmp_path: Path, kind: str) -> None:
    from scipy.ndimage import gaussian_filter

    (tmp_path / "own").mkdir()
    generator = np.random.default_rng(0)
    for number in range(2):
        volume = gaussian_filter(generator.standard_normal((16, 80, 80)), (0, 3, 3))
        np.save(tmp_path / "own" / f"{number}.npy", (400 * volume / volume.std()).astype(np.float32))
    options = ("--range", "-1500", "1500") if kind == "slices" else ("--periodic",)
    result = learn(tmp_path / "own", tmp_path / "model", "--kind", kind, "--name", "own", *options)
    assert result.exit_code == 0, result.output
    # fitted only: without --network there is no training of one
    codec = Codec.load(tmp_path / "model" / "fit" / "model.safetensors")
    assert codec.model.name == "own" and codec.model.network is None and not (tmp_path / "model" / "train").exists()
    assert codec.model.span == (255.0 if kind == "slices" else 1.0)
    field = np.load(tmp_path / "own" / "0.npy")[5]
    scale = (Channel(-1500, 3000 / 255),) if kind == "slices" else None
    decoded = codec.decode(codec.encode(field, quality=90, scale=scale))
    assert np.std(decoded - field) < 0.1 * np.std(field)


def test_what_makes_no_model_of_slices_or_fields_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for number in range(2):
        np.save(tmp_path / "own" / f"{number}.npy", np.random.default_rng(0).standard_normal((16, 80, 80)))
    for options, words in (
        (("--kind", "films"), "expected pictures, slices, fields"),
        (("--kind", "slices", "--range", "5", "1"), "the lower number first"),
        (("--kind", "slices"), "say with --range LOW HIGH"),
    ):
        result = learn(tmp_path / "own", tmp_path / "model", *options)
        assert isinstance(result.exception, ConfigError) and words in str(result.exception), result.exception
