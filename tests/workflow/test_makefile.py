"""What the Makefile does around Snakemake and pip, with stand-ins for both."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from trees import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="not installed: make")

STAND_INS = {
    "snakemake": """
        case "$*" in
          *--report*) touch reports/audit.zip ;;
          *) [ -z "${WORK:-}" ] || { mkdir -p reports; touch reports/index.html; }; exit "${CODE:-0}" ;;
        esac""",
    "sciml": 'case "$2" in usable) echo ci ;; esac; exit "${SCIML_CODE:-0}"',
    "python": "true",
}


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


def snakemakes(calls: list[str]) -> list[str]:
    return ["audit" if "--report" in line else "run" for line in calls if line.startswith("snakemake")]


def aged(folder: Path) -> None:
    """Let the audit be older than now, and the index older than the audit."""
    for name, time in (("index.html", 1e9), ("audit.zip", 1.1e9)):
        os.utime(folder / "reports" / name, (time, time))


def test_the_audit_is_made_again_only_after_newer_pages(call, tmp_path):
    report = f"report: {tmp_path}/reports/index.html"
    code, output, calls = call("demo", "TIER=ci", WORK="1")
    assert (code, snakemakes(calls)) == (0, ["run", "audit"]) and report in output
    assert all("--config tier=ci data_tier=ci" in line and line.endswith("-- all") for line in calls if "snakemake" in line)
    aged(tmp_path)
    code, output, calls = call("demo", "TIER=ci")
    assert (code, snakemakes(calls)) == (0, ["run"]) and report in output
    assert snakemakes(call("demo", "TIER=ci", WORK="1")[2]) == ["run", "audit"]
    aged(tmp_path)
    (tmp_path / "reports" / "audit.zip").unlink()
    assert snakemakes(call("demo", "TIER=ci")[2]) == ["run", "audit"]


def test_a_failing_run_names_the_index_and_fails(call, tmp_path):
    code, output, calls = call("demo", WORK="1", CODE="1")
    assert code != 0 and snakemakes(calls) == ["run"]
    assert f"report: {tmp_path}/reports/index.html" in output and not (tmp_path / "reports" / "audit.zip").exists()


def test_a_run_that_never_began_names_no_index(call):
    code, output, calls = call("demo", CODE="1")
    assert code != 0 and snakemakes(calls) == ["run"] and "report:" not in output
    assert snakemakes(call("demo", SCIML_CODE="2")[2]) == []


def test_extras_are_installed_once_with_the_constraints(call):
    def installed(*arguments: str) -> list[str]:
        code, output, calls = call(*arguments, WORK="1")
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
