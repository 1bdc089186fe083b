"""Variants of the codec: all orthonormal, each lacks just its part, and the study and its page come out whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from records import whole
from tiny_models import texture

from sciml.compression.entropy.tables import TOTAL
from sciml.compression.settings.stages import AblateConfig, PageConfig
from sciml.compression.stages import ablate, ablate_report
from sciml.compression.study.ablations import ABLATIONS, FULL, SIXTEEN_BITS, SPAN, Variant, psnr_of
from sciml.report.check import check_page
from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json, write_json

ROOT = Path(__file__).resolve().parents[3]
PAGE = PageConfig(tier="ci", domains=("photo",), weights="shipped", data_tier="ci")
STEP = 0.5


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.stack([texture(96, 96, seed=seed) for seed in range(6)]).astype(np.uint8)


@pytest.fixture(scope="module")
def variants(crops) -> dict[str, Variant]:
    return {name: Variant(ablation, crops) for name, ablation in ABLATIONS.items()}


@pytest.mark.parametrize("name", ABLATIONS)
def test_planes_keep_the_energy_and_the_largest_come_first(variants, crops, name):
    planes = variants[name].planes(crops[2])
    centred = (crops[2].astype(np.float64) - 127.5) / SPAN
    assert np.square(planes, dtype=np.float64).sum() == pytest.approx(np.square(centred).sum(), rel=1e-5)
    energy = np.square(variants[name].training, dtype=np.float64).mean(1)
    assert (np.diff(energy) <= 1e-6 * energy[0]).all()


def test_without_classes_every_block_of_a_pass_is_coded_with_one_table(variants):
    plain, whole = variants["no-classes"].fit(STEP).rules, variants[FULL].fit(STEP).rules
    assert not plain.spread_first.any()
    assert not plain.spread_rest.any()
    assert plain.mean.any()
    assert whole.spread_rest.any()


def test_without_means_nothing_is_predicted(variants):
    rules = variants["no-means"].fit(STEP).rules
    assert not rules.mean.any()
    assert rules.spread_first.any()


def test_coarse_tables_are_multiples_of_their_unit_and_whole(variants):
    tables = variants["coarse-tables"].fit(STEP).tables
    assert not (tables.counts % SIXTEEN_BITS).any()
    assert (tables.counts.sum(-1) == TOTAL).all()


def test_the_nearest_values_have_less_error_and_more_bits(variants, crops):
    coded = {}
    sets = (variants[FULL].fit(STEP),)
    for name in (FULL, "no-choice"):
        coded[name] = variants[name].code(sets, STEP, variants[name].planes(crops[0]))
    assert coded["no-choice"][0] > coded[FULL][0]
    assert coded["no-choice"][1] < coded[FULL][1]


def test_an_error_of_one_grey_level_is_48_decibels():
    assert psnr_of(1.0) == pytest.approx(48.1308, abs=1e-4)


def fake_table(folder: Path, cost: float = 1.0) -> Path:
    """Write what the stage would: a row a variant, made-up numbers."""
    rows, curves = [], []
    pairs = [(name, FULL) for name in ABLATIONS if name != FULL] + [("shared-tables", "own-tables"), ("linear", "network")]
    for number, (name, anchor) in enumerate(pairs):
        each = {"one": number + cost, "two": number + cost + 2}
        row = {"variant": name, "anchor": anchor, "meaning": name, "bd_rate_percent": number + cost + 1, "std_percent": 1.0}
        rows.append(row | {"interval_percent": [number, number + 2], "by_picture_percent": each})
        curves += [
            {"variant": name, "picture": picture, "step": step, "bpp": 0.1 / step, "psnr_db": 25 / step**0.1}
            for picture in each
            for step in (0.5, 0.3)
        ]
    config = AblateConfig(experiment="compression", channels=3, crop_size=96, data_tier="ci", seed=1)
    write_json(folder / "ablations.json", {"crops": 6, "pictures": ["one", "two"], "rows": rows, "curves": curves})
    write_json(folder / "provenance.json", whole("compression.ablate", config.model_dump(mode="json")))
    return folder / "ablations.json"


@pytest.mark.parametrize(("cost", "status"), [(-9.0, "met"), (1.0, "missed")])
def test_the_page_says_what_shared_tables_cost(tmp_path, cost, status):
    """They are the eleventh of the rows: cost + 11 % against a goal of 3 %."""
    page = tmp_path / "page.html"
    ablate_report.run(PAGE, fake_table(tmp_path, cost), page)
    check_page(page)
    record = json.loads(page.with_suffix(".report.json").read_text())
    (claim,) = record["claims"]
    assert (claim["status"], claim["ours"]) == (status, pytest.approx(cost + 11))
    text = page.read_text()
    assert all(ablation in text for ablation in ABLATIONS if ablation != FULL)


def test_an_empty_table_is_refused(tmp_path):
    path = fake_table(tmp_path)
    write_json(path, read_json(path) | {"rows": []})
    with pytest.raises(DataError, match="make ablations"):
        ablate_report.run(PAGE, path, tmp_path / "page.html")


@pytest.mark.slow
def test_the_study_measures_every_part_and_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    config = AblateConfig(
        experiment="compression", channels=3, crop_size=96, data_tier="ci", seed=1, crops={4.0: 2},
        steps=(0.8, 0.6, 0.45, 0.33), between=(0.7, 0.52, 0.38, 0.3),
    )  # fmt: skip
    weights = ROOT / "sciml/compression/weights/photo.safetensors"
    stopped = dict(list(ABLATIONS.items())[:2])
    monkeypatch.setattr(ablate, "_network_curves", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(ablate, "ABLATIONS", stopped)
    with pytest.raises(KeyboardInterrupt):
        ablate.run(config, weights, tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(ablate, "ABLATIONS", stopped)
    with monkeypatch.context() as context:
        context.setattr(Variant, "fit", lambda *_: pytest.fail("a fitted variant was fitted again"))
        ablate.run(config, weights, tmp_path)
    found = read_json(tmp_path / "ablations.json")
    rows = {row["variant"]: row for row in found["rows"]}
    assert list(rows) == ["no-classes", "shared-tables", "linear"]
    # so few crops teach no classes: what they are worth is for the whole study to say
    assert rows["no-classes"]["bd_rate_percent"] != 0
    assert rows["linear"]["bd_rate_percent"] > 0
    assert len(found["curves"]) == 6 * 4 * len(found["pictures"])


def test_the_workflow_asks_for_the_page_and_for_nothing_of_the_study(tmp_path):
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "-s",
        str(ROOT / "workflows/compression/Snakefile"),
        "--directory",
        str(tmp_path),
    ]
    command += ["--profile", str(ROOT / "profiles/default"), "--config", "tier=cpu", "-n", "--", "ablations"]
    found = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=120, check=False)
    assert found.returncode == 0, found.stderr
    planned = {line.split()[0] for line in found.stdout.splitlines() if line.split()[1:] == ["1"] and not line.startswith(" ")}
    assert planned == {"measure_parts", "write_ablations_page", "ablations"}
