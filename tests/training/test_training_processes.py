"""Two processes make the steps of one: the same curves, files by the first alone, and going on after a stop."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from tiny_learning import autoencoder_config, diffusion_config, write_tiny_cohort
from torch import nn

from sciml.datasets import manifest
from sciml.progression.settings.networks import FORMS
from sciml.proximal.settings.models import TrainConfig
from sciml.proximal.settings.structures import RegularizerConfig, SolverSchedule
from sciml.runtime.errors import ConfigError
from sciml.training import processes
from sciml.training.checkpoint import NAME

STEPS = 20
BUDGET = {"steps": STEPS, "batch_size": 4, "learning_rate": 1e-3, "warmup_steps": 0, "ema_decay": 0.5}


# rounding to bfloat16, which processors with units for it do, would hide what is compared
FLOAT32 = """from sciml.training import step
step.has_bfloat16_units = lambda: False
from sciml.cli import main
main()
"""


def command(count: int, words: Sequence[str], program: Sequence[str] = ("-m", "sciml")) -> list[str]:
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
    return [sys.executable, *start, *program, "stage", *words]


def run(count: int, *words: str, program: Sequence[str] = ("-m", "sciml")) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command(count, words, program), env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("training ended: all steps done") == 1


def curve(folder: Path) -> list[float]:
    with (folder / "history.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def compared(folder: Path, *words: str) -> None:
    """Train with one process and with two: the curve of one to 1e-5, and the same files."""
    folder.mkdir(exist_ok=True)
    program = folder / "program.py"
    program.write_text(FLOAT32)
    for count in (1, 2):
        run(count, *words, "--output", str(folder / str(count)), program=[str(program)])
    one, two = curve(folder / "1"), curve(folder / "2")
    assert len(one) >= 10
    assert two == pytest.approx(one, rel=1e-5)
    assert two != one
    names = [sorted(path.name for path in (folder / count).rglob("*")) for count in ("1", "2")]
    assert names[0] == names[1]


@pytest.mark.slow
def test_two_processes_train_a_prior_as_one(tmp_path, need_data):
    need_data(*manifest.tier_ids("ci"))
    compared(tmp_path, "proximal", "train", "--config", prior().model_dump_json())


def prior(**more: object) -> TrainConfig:
    values = {
        "name": "small", "domain": "photo-grey", "network": RegularizerConfig(), "steps": STEPS, "cpu_minutes": 5.0,
        "crop_size": 32, "batch_size": 4, "validation_crops": 2, "validations": 1, "operators": 2, "data_tier": "ci", "seed": 3,
        "schedule": SolverSchedule(solver_steps=(8, 8, 8), adjoint_steps=(4, 4, 4)), "learning_rate": 1e-3,
    }  # fmt: skip
    return TrainConfig.model_validate(values | more)


@pytest.mark.slow
def test_two_processes_train_on_brains_as_one(tmp_path):
    cohort = str(tmp_path / "cohort")
    write_tiny_cohort(Path(cohort))
    autoencoder = autoencoder_config(budget=BUDGET).model_dump_json()
    compared(tmp_path / "a", "progression", "train-autoencoder", "--config", autoencoder, "--cohort", cohort)
    diffusion = diffusion_config(FORMS["residual"], "residual", budget=BUDGET).model_dump_json()
    encoder = str(tmp_path / "a" / "1" / "autoencoder.safetensors")
    words = ("train-diffusion", "--config", diffusion, "--cohort", cohort, "--autoencoder", encoder)
    compared(tmp_path / "b", "progression", *words)


@pytest.mark.slow
def test_what_two_processes_began_goes_on_with_one_or_two(tmp_path, need_data):
    """After a SIGTERM to one of them both end with the checkpoint; the weights are those of a run that was not stopped."""
    need_data(*manifest.tier_ids("ci"))
    words = ["proximal", "train", "--config", prior(steps=100).model_dump_json(), "--output", str(tmp_path / "out")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    checkpoint = tmp_path / "out" / "small.safetensors.partial" / NAME
    stopped = subprocess.Popen(command(2, words), env=environment, stderr=subprocess.PIPE, text=True)
    while not checkpoint.exists() and stopped.poll() is None:
        time.sleep(0.1)
    stopped.send_signal(signal.SIGTERM)
    stopped.communicate()
    assert stopped.returncode != 0
    assert checkpoint.exists()
    assert not (tmp_path / "out" / "small.safetensors").exists()
    run(2, *words)
    run(1, *words[:-1], str(tmp_path / "whole"))
    assert curve(tmp_path / "out") == pytest.approx(curve(tmp_path / "whole"), rel=1e-2)
    notes = json.loads((tmp_path / "out" / "provenance.json").read_text())["notes"]
    assert notes["steps"] == 100


def test_a_batch_is_shared_by_rows(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    batch = {"x": torch.arange(4), "y": (torch.arange(8).reshape(4, 2), 0.5), "step": 3}
    found = []
    for number in ("0", "1"):
        monkeypatch.setenv("RANK", number)
        found.append(processes.rows(batch))
    assert found[0]["x"].tolist() == [0, 2]
    assert found[1]["y"][0].tolist() == [[2, 3], [6, 7]]
    assert found[0]["y"][1] == 0.5
    assert found[1]["step"] == 3
    with pytest.raises(ConfigError, match="a batch of 3 cannot be shared by 2 processes"):
        processes.rows(torch.arange(3))


def test_rows_of_random_numbers_are_those_of_one_process(monkeypatch):
    def numbers() -> torch.Tensor:
        return processes.drawn(torch.randn, (2, 3), generator=torch.Generator().manual_seed(0))

    monkeypatch.setenv("WORLD_SIZE", "2")
    whole = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    for number in (0, 1):
        monkeypatch.setenv("RANK", str(number))
        with processes.step():
            assert torch.equal(numbers(), whole[number::2])
        assert torch.equal(numbers(), torch.randn(2, 3, generator=torch.Generator().manual_seed(0)))


def test_a_model_that_counts_its_batches_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    network = nn.BatchNorm1d(3)
    same = processes.SameBuffers(network)
    same.check(network)
    same = processes.SameBuffers(network)
    network(torch.randn(4, 3))
    with pytest.raises(ConfigError, match="running_mean, so one process trains it"):
        same.check(network)


def test_only_stages_run_in_several_processes(sciml_command, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    code, _, err = sciml_command("doctor")
    assert code == 2
    assert "-m sciml stage FAMILY STAGE" in err


def test_each_process_takes_its_own_of_the_gpus_that_a_scheduler_gave():
    program = "from sciml.runtime.devices import claim_gpus; print(*claim_gpus(1).gpus)"
    given = {"CUDA_VISIBLE_DEVICES": "3,5", "LOCAL_WORLD_SIZE": "2"}

    def taken(number: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **given, "LOCAL_RANK": number, **more}
        return subprocess.run([sys.executable, "-c", program], env=environment, text=True, capture_output=True, check=False)

    assert [taken(number).stdout.split() for number in ("0", "1")] == [["3"], ["5"]]
    assert "asked for 2 GPUs" in taken("0", CUDA_VISIBLE_DEVICES="3").stderr
