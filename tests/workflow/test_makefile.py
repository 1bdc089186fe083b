"""What the Makefile does around Snakemake and pip, with stand-ins for both."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
from trees import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="not installed: make")

STAND_INS = {"snakemake": "true", "sciml": 'exit "${CODE:-0}"', "python": "true"}


@pytest.fixture
def call(tmp_path):
    """Return a function that calls make in a folder with an environment that only notes its calls."""
    scripts = tmp_path / ".venv" / "bin"
    scripts.mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "workflows").mkdir()
    shutil.copy(ROOT / "workflows" / "runs.mk", tmp_path / "workflows")
    for name in ("pyproject.toml", "constraints.txt", ".venv/.python", ".venv/.base"):
        (tmp_path / name).touch()
    for name, body in STAND_INS.items():
        (scripts / name).write_text(f'#!/usr/bin/env bash\necho "{name} $*" >> calls\n{body}\n')
        (scripts / name).chmod(0o755)

    def run(*arguments: str, **environment: str) -> tuple[int, str, list[str]]:
        (tmp_path / "calls").write_text("")
        kept = {name: value for name, value in os.environ.items() if not re.fullmatch("MAKE.*|MFLAGS|EXTRAS|TIER|FAMILY", name)}
        result = subprocess.run(
            ["make", *arguments], cwd=tmp_path, env={**kept, **environment}, text=True, capture_output=True, check=False
        )
        return result.returncode, result.stdout + result.stderr, (tmp_path / "calls").read_text().splitlines()

    return run


def test_a_run_is_told_its_settings_family_and_profile(call):
    for words, wanted in (
        (["demo"], "demo --family all --profile profiles/default"),
        (["demo", "TIER=ci", "FAMILY=imaging"], "ci --family imaging --profile profiles/default"),
        (["demo", "SETTINGS=my study.yaml"], "my study.yaml --family all --profile profiles/default"),
        (["cpu", "FAMILY=proximal"], "cpu --family proximal --profile profiles/default"),
    ):
        code, output, calls = call(*words)
        assert (code, calls) == (0, [f"sciml run {wanted}"]), output
    assert call("demo", CODE="3")[0] != 0


def test_cards_are_tried_before_a_run_on_them(call):
    code, output, calls = call("gpu", "SETTINGS=my.yaml")
    assert (code, calls) == (0, ["sciml doctor --try-gpu", "sciml run my.yaml --family all --profile profiles/gpu"]), output
    code, _, calls = call("gpu", CODE="2")
    assert code != 0
    assert calls == ["sciml doctor --try-gpu"]


def test_extras_are_installed_once_with_the_constraints(call):
    def installed(*arguments: str) -> list[str]:
        code, output, calls = call(*arguments)
        assert code == 0, output
        return [line for line in calls if "pip" in line]

    pip = "python -m pip install -q --disable-pip-version-check -c constraints.txt -e"
    assert installed("env") == []
    assert installed("env", "EXTRAS=cuda") == [f"{pip} .[all,cuda]"]
    assert installed("env", "EXTRAS=cuda,slurm") == [f"{pip} .[all,slurm]"]
    assert installed("gpu", "EXTRAS=cuda slurm nonfree") == [f"{pip} .[all,nonfree]"]


def test_weights_and_ablations_are_offered_for_the_families_whose_workflow_has_them(call, tmp_path):
    shutil.copytree(ROOT / "workflows", tmp_path / "workflows", dirs_exist_ok=True)
    for target, rule in (("weights", "publish_weights"), ("ablations", "ablations")):
        code, _, calls = call(target, "FAMILY=proximal")
        assert code == 0 and calls == [f"snakemake --profile profiles/default --config tier=cpu -- proximal_{rule}"]
        code, output, calls = call(target, "FAMILY=imaging")
        assert code == 2 and calls == [] and "compression" in output and "imaging" not in output.rpartition(":")[2]


def test_every_target_for_users_is_in_the_help(call):
    texts = [(ROOT / name).read_text() for name in ("Makefile", "workflows/runs.mk")]
    phony = {name for text in texts for line in re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE) for name in line.split()} - {
        "run"
    }
    code, output, _ = call("help")
    assert code == 0 and phony <= {line.split()[0] for line in output.splitlines() if line.strip()}
