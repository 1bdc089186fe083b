"""Design choices: settings, the comparison on validation crops, its page, and the workflow that asks for them."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from records import whole
from typer.testing import CliRunner

from sciml.datasets import split
from sciml.proximal.config import AblateConfig, Config, PageConfig
from sciml.proximal.learning.objectives import validate_denoising
from sciml.proximal.learning.pools import validation_crops
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.settings.models import ModelConfig, TrainConfig
from sciml.proximal.settings.structures import RegularizerConfig
from sciml.proximal.stages import ablate, ablate_report
from sciml.proximal.study.results import AblationRow
from sciml.report.check import check_page
from sciml.runtime.errors import ConfigError, DataError
from sciml.runtime.files import read_json, write_json
from sciml.runtime.results import read_result
from sciml.settings import load
from sciml.stages import all_stages_app
from sciml.training import save_weights

ROOT = Path(__file__).resolve().parents[3]
GREY = RegularizerConfig(windows=((3,),), curvature=10.0)
CONFIG = AblateConfig(data_tier="ci", crops=3, crop_size=24, gradients=12, sigmas=(0.05, 0.2))
PAGE = PageConfig(tier="ci", data_tier="ci", tasks=(), trained=())


def finished(folder: Path, name: str, structure: RegularizerConfig = GREY, threshold: float = 0.0, **changes: Any) -> Path:
    """Write a weight file as a training leaves it, its thresholds multiplied by exp(threshold)."""
    model = ModelConfig.model_validate({"domain": "photo-grey", "network": structure, "steps": 7, "cpu_minutes": 1, **changes})
    config = TrainConfig(**model.model_dump(), name=name, data_tier="ci", seed=1)
    network = ImplicitNetwork(structure, model.sigma_range, model.sigma_range[0])
    with torch.no_grad():
        for parameter_name, parameter in network.regularizer.named_parameters():
            if parameter_name.endswith("log_tau"):
                parameter.add_(threshold)
    path = folder / f"{name}.safetensors"
    facts = {"inputs": {}, "source_digest": "x", "cpu_minutes": 0.25, "extra": {"network": network.describe()}}
    save_weights(path, network, config=config, seed=1, **facts)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> list[Path]:
    """A network for all levels, two of one level that went on from it (one worse), and two from scratch."""
    folder = tmp_path_factory.mktemp("weights")
    only: dict[str, Any] = {"start_from": "grey"}
    return [
        finished(folder, "grey"),
        finished(folder, "only-0.05", sigma_range=(0.05, 0.05), **only),
        finished(folder, "only-0.2", threshold=-3.0, sigma_range=(0.2, 0.2), **only),
        finished(folder, "reference"),
        finished(folder, "two-levels", RegularizerConfig(windows=((3,), (3,)), curvature=10.0)),
    ]


@pytest.fixture(scope="module")
def written(weights, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ablate")
    ablate.run(CONFIG, weights, folder)
    return folder


def test_each_network_is_measured_on_the_same_crops_at_the_levels_of_its_training(written, weights):
    rows = {(row["network"], row["sigma"]): row for row in read_json(written / "ablations.json")}
    both = [(name, sigma) for name in ("reference", "two-levels") for sigma in (0.05, 0.2)]
    assert list(rows) == [("grey", 0.05), ("grey", 0.2), ("only-0.05", 0.05), ("only-0.2", 0.2), *both]
    crops = torch.from_numpy(validation_crops("photo-grey", "ci", 24, 3, ablate.SEED))
    noise = read_json(written / "provenance.json")["seeds"]["ablate/noise"] % 2**31
    network = ImplicitNetwork.load(weights[4])
    with torch.no_grad():
        own = validate_denoising(crops, (0.2,), 12)(network, torch.Generator().manual_seed(noise))
    row = rows["two-levels", 0.2]
    assert (row["psnr_n"], row["psnr_3n"]) == pytest.approx((own["psnr_0.2_12"], own["psnr_0.2_36"]), abs=1e-4)
    assert row["parameters"] == sum(parameter.numel() for parameter in network.parameters())
    assert row["cpu_minutes"] == 0.25
    # a denoiser: far above the noise, and nearly solved after N gradients
    assert all(
        row["psnr_3n"] > -20 * torch.tensor(row["sigma"]).log10() + 0.5 for row in rows.values() if row["network"] != "only-0.2"
    )
    assert all(abs(row["psnr_n"] - row["psnr_3n"]) < 0.3 for row in rows.values())


def test_a_network_is_compared_with_its_start_or_with_the_reference(written):
    rows = {(row["network"], row["sigma"]): row for row in read_json(written / "ablations.json")}
    # equal weights, so equal numbers: crops and noise are the same for all
    assert rows["only-0.05", 0.05]["difference_db"] == 0 and rows["only-0.05", 0.05]["within"] is True
    assert rows["grey", 0.2]["psnr_3n"] == rows["reference", 0.2]["psnr_3n"]
    other, base = rows["two-levels", 0.2], rows["reference", 0.2]
    assert other["difference_db"] == pytest.approx(other["psnr_3n"] - base["psnr_3n"], abs=2e-4) and other["difference_db"] != 0
    assert {row["reference"] for (name, _), row in rows.items() if name.startswith("only")} == {"grey"}
    assert {row["within"] for (name, _), row in rows.items() if not name.startswith("only")} == {None}
    worse = rows["only-0.2", 0.2]
    assert (
        worse["difference_db"] == pytest.approx(worse["psnr_3n"] - rows["grey", 0.2]["psnr_3n"], abs=2e-4)
        and worse["difference_db"] < -0.1
    )


def test_the_table_for_spreadsheets_holds_the_same_rows(written):
    with (written / "ablations.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    rows = read_json(written / "ablations.json")
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows] == table


def test_what_cannot_be_compared_is_refused(weights, tmp_path):
    grey, only, _, reference, _ = weights
    with pytest.raises(ConfigError, match=r"only-0\.05 is compared with grey"):
        ablate.run(CONFIG, [only, reference], tmp_path)
    with pytest.raises(ConfigError, match="reference, whose weights were not given"):
        ablate.run(CONFIG, [grey], tmp_path)
    with pytest.raises(ConfigError, match="two weight files have one name"):
        ablate.run(CONFIG, [reference, reference], tmp_path)
    with pytest.raises(ConfigError, match=r"noise levels 0\.01 to 0\.02"):
        ablate.run(CONFIG, [reference, finished(tmp_path, "low", sigma_range=(0.01, 0.02))], tmp_path)
    with pytest.raises(ConfigError, match="trained to ct"):
        ablate.run(CONFIG, [reference, finished(tmp_path, "task", task="ct")], tmp_path)
    with pytest.raises(ConfigError, match="networks of ct and photo-grey"):
        ablate.run(CONFIG, [reference, finished(tmp_path, "slices", domain="ct")], tmp_path)
    assert not list(tmp_path.glob("ablations.*"))


def test_the_page_shows_claim_tables_and_charts(written, tmp_path):
    (page,) = ablate_report.run(PAGE, written / "ablations.json", tmp_path / "proximal-ablations.html")
    assert check_page(page) == []
    record = read_json(page.with_suffix(".report.json"))
    levels, structures = record["tables"]
    assert [row["change"] for row in levels["rows"]] == ["grey", "only-0.05", "only-0.2"]
    assert levels["rows"][1]["difference0.05"] == 0 and levels["rows"][1]["psnr0.2"] is None
    assert [row["change"] for row in structures["rows"]] == ["reference", "two-levels"]
    text = page.read_text()
    assert "windows 3 and 3, curvature 10, rho 0.97, sigma 0.01 to 0.3, 7 steps<" in text
    assert "rho 0.97, sigma 0.2, 7 steps on from grey<" in text
    assert [curve["title"] for curve in record["curves"]] == ["Gain over grey", "Gain over reference"]
    rows = read_json(written / "ablations.json")
    (claim,) = record["claims"]
    assert claim["ours"] == max(row["difference_db"] for row in rows if row["within"] is not None)
    assert claim["status"] == "met" and "validation" in text


def test_claim_of_the_levels_counts_those_within_the_margin():
    names = {"network": "a", "reference": "b", "sigma": 0.1, "psnr_n": 30.0, "psnr_3n": 30.0, "parameters": 1, "cpu_minutes": 1.0}
    near, far, other = (
        AblationRow.model_validate({**names, "within": within, "difference_db": difference})
        for within, difference in ((True, 0.05), (False, 0.3), (None, 9.0))
    )
    assert ablate_report.level_claim([near, far], 0.1).status == "missed"
    assert ablate_report.level_claim([near], 0.1).status == "met"
    assert ablate_report.level_claim([other], 0.1).status == "not run"


def test_an_empty_table_is_no_page(tmp_path):
    write_json(tmp_path / "ablations.json", [])
    write_json(tmp_path / "provenance.json", whole("proximal.ablate", {}))
    with pytest.raises(DataError, match="make ablations FAMILY=proximal"):
        ablate_report.run(PAGE, tmp_path / "ablations.json", tmp_path / "page.html")


def test_the_commands_log_the_table_and_a_gain_beyond_the_margin_is_told(tmp_path, caplog):
    """The starved network as the start and the sound one as its continuation: a large gain, which is not within 0.1 dB."""
    starved = finished(tmp_path, "starved", threshold=-3.0)
    better = finished(tmp_path, "better", start_from="starved", sigma_range=(0.2, 0.2))
    app, call, folder = all_stages_app(), CliRunner().invoke, tmp_path / "ablate"
    caplog.set_level("INFO")
    files = ["--weights", str(starved), "--weights", str(better)]
    result = call(app, ["proximal", "ablate", "--config", CONFIG.model_dump_json(), *files, "--output", str(folder)])
    assert result.exit_code == 0, result.output
    assert (folder / "ablations.csv").read_text() in caplog.text
    rows = read_result(folder / "ablations.json", list[AblationRow])
    (row,) = [row for row in rows if row.network == "better"]
    assert row.difference_db > 0.1 and row.within is False
    assert ablate_report.level_claim(rows, 0.1).status == "missed"
    page, numbers = tmp_path / "page.html", folder / "ablations.json"
    words = ["proximal", "ablate-report", "--config", PAGE.model_dump_json(), "--table", str(numbers), "--output", str(page)]
    result = call(app, words)
    assert result.exit_code == 0 and page.is_file(), result.output


def test_the_settings_vary_one_thing_at_a_time():
    settings = Config()
    grey, found = settings.models["photo-grey"], settings.ablations
    assert ablate.REFERENCE in found
    scratch = {name: model for name, model in found.items() if model.start_from is None}
    reference = scratch[ablate.REFERENCE]
    assert reference.network == grey.network and reference.steps < grey.steps
    for name, model in scratch.items():
        changed = {key for key, value in model.network if value != getattr(grey.network, key)}
        assert model.model_copy(update={"network": grey.network}) == reference
        assert len(changed) == (name != ablate.REFERENCE), name
    for name, model in found.items():
        low, high = model.sigma_range
        if name not in scratch:
            assert low == high and low in AblateConfig().sigmas and model.network == grey.network
            assert model.start_from == "photo-grey" and name == f"only-{low:g}"
        assert isinstance(model.network, RegularizerConfig)
        rho = ImplicitNetwork(model.network).certificate().weak_convexity
        assert rho is not None and 0 < rho <= model.network.weak_convexity + 1e-6
        assert ModelConfig.model_validate(model.model_dump()) == model


def test_the_default_crops_are_validation_pictures():
    assert split("proximal-photos", "validation", "ci") and split("proximal-photos", "validation", "default")


def test_an_ablation_is_cut_out_like_a_network_and_has_a_name_of_its_own():
    settings = load("ci")
    config = settings.proximal.train_config(settings, "only-0.1")
    assert (config.name, config.start_from, config.sigma_range) == ("only-0.1", "photo-grey", (0.1, 0.1))
    assert settings.proximal.ablate_config(settings).data_tier == "ci"
    model = settings.proximal.ablations["reference"]
    with pytest.raises(ValueError, match="twin is the name of a network and of an ablation"):
        Config(models={"twin": model}, ablations={"twin": model})
    with pytest.raises(ValueError, match="cannot go on from itself"):
        Config(models={}, ablations={"own": model.model_copy(update={"start_from": "own"})})


@pytest.mark.slow
@pytest.mark.workflow
def test_the_target_trains_every_ablation_compares_them_and_writes_the_page(tmp_path):
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    environment.pop("SNAKEMAKE_PROFILE", None)
    command = ["snakemake", "-s", str(ROOT / "Snakefile"), "--directory", str(tmp_path), "-n", "-p", "-c", "1"]
    command += ["--config", "tier=ci", "--", "proximal_ablations"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    settings = load("ci")
    trained = dict(re.findall(r"sciml stage proximal train --config '?(\{.*?\})'?  ?(?:--start \S+ )?--output (\S+)", output))
    configs = {json.loads(text)["name"]: folder for text, folder in trained.items()}
    assert configs == {name: f"results/ci/proximal/ablations/{name}" for name in settings.proximal.ablations}
    assert len(re.findall(r"--start \S*sciml/proximal/weights/photo-grey\.safetensors --output \S+/only-0", output)) == 3
    (compared,) = re.findall(r"sciml stage proximal ablate --config .*", output)
    assert compared.count("--weights") == len(settings.proximal.ablations) + 1
    assert "--output reports/proximal-ablations.html" in output and "sciml report index reports" in output
    # no part of the study itself
    assert "stage proximal restore" not in output
