"""What `sciml doctor --try-gpu` says: none there, one that works, one that computes something else, commands that fail."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from sciml import gpu_test
from sciml.datasets import manifest
from sciml.gpu_test import CHECKS, Check, compared, difference, numbers
from sciml.runtime import devices

IMAGE = Check("reconstruction", "imaging solve photo.npy --out OUT.npy", "OUT.npy")


def test_without_a_gpu_there_is_one_line(sciml_command, monkeypatch):
    monkeypatch.setattr(devices.subprocess, "run", lambda *words, **rest: (_ for _ in ()).throw(FileNotFoundError))
    code, out, err = sciml_command("doctor", "--try-gpu")
    assert (code, out) == (2, "")
    assert err.splitlines() == ["sciml: error: no GPU found: nvidia-smi is not installed; run on the CPU with gpu 0, "
                                "which profiles/default does"]  # fmt: skip


@pytest.fixture
def outcome(monkeypatch, tmp_path):
    """Return a function that gives the verdict on one command whose result on a GPU is given; None: it fails there."""

    def judged(there: np.ndarray | None) -> gpu_test.Finding:
        def run(program: list[str], cwd: Path, **rest: object) -> subprocess.CompletedProcess[str]:
            words = program[3:]
            if words[-2:] == ["--gpu", "1"] and there is None:
                return subprocess.CompletedProcess(program, 1, "", "a log\nsciml: error: no kernel image\n")
            if "--gpu" in words:
                np.save(cwd / words[words.index("--out") + 1], np.ones(9) if words[-1] == "0" else there)
            return subprocess.CompletedProcess(program, 0, "", "")

        monkeypatch.setattr(gpu_test, "CHECKS", (IMAGE,))
        monkeypatch.setattr(gpu_test.subprocess, "run", run)
        (found,) = compared(tmp_path)
        return found

    return judged


def test_a_gpu_is_judged_by_its_numbers(outcome):
    assert outcome(np.full(9, 1 + 1e-4)).verdict == "good"
    for wrong in (np.full(9, 1.01), np.full(9, np.nan), np.ones(8)):
        found = outcome(wrong)
        assert (found.verdict, found.subject) == ("missing", "reconstruction")
        assert "expected at most 0.001" in found.advice
    failed = outcome(None)
    assert (failed.verdict, failed.detail) == ("missing", "sciml: error: no kernel image")
    assert failed.advice == "sciml imaging solve photo.npy --out 0-1.npy --gpu 1"


def test_commands_that_take_too_long_are_told(monkeypatch, tmp_path):
    def slow(program: list[str], timeout: float, **rest: object) -> None:
        raise subprocess.TimeoutExpired(program, timeout)

    monkeypatch.setattr(gpu_test.subprocess, "run", slow)
    (found,) = compared(tmp_path)
    assert found.verdict == "missing"
    assert "300 s" in found.detail


def test_difference_is_relative():
    assert difference(np.array([3.0, 4.0]), np.array([0.0, 4.0])) == pytest.approx(0.75)
    assert difference(np.zeros(2), np.zeros(2)) == 0


def test_the_losses_of_a_training_are_one_number(tmp_path):
    (tmp_path / "history.csv").write_text("step,loss,rate\n1,2.0,9\n2,4.0,9\n")
    assert numbers(tmp_path / "history.csv").tolist() == [3.0]


@pytest.mark.slow
def test_its_commands_run_and_repeat_on_the_processor(monkeypatch, tmp_path, need_data):
    need_data(*manifest.tier_ids("ci"))
    monkeypatch.setattr(gpu_test, "LIMIT_SECONDS", 3000)
    run = gpu_test.subprocess.run

    def processor(program: list[str], **rest: object) -> subprocess.CompletedProcess[str]:
        return run([*program[:-1], "0"] if program[-2] == "--gpu" else program, **rest)

    monkeypatch.setattr(gpu_test.subprocess, "run", processor)
    found = {finding.subject: finding for finding in compared(tmp_path)}
    assert list(found) == [check.subject for check in CHECKS]
    assert all(finding.verdict == "good" and " 0.0e+00;" in finding.detail for finding in found.values()), found
