"""`sciml init`: the workflow in a folder of one's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sciml.runtime.errors import ConfigError
from sciml.workflow import PARTS, lay_down

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent


def test_the_workflow_is_laid_down_whole_and_nothing_is_lost(tmp_path, sciml_command):
    folder = tmp_path / "my studies"
    code, output, _ = sciml_command("init", folder)
    assert code == 0 and f"cd '{folder}'" in output and "make demo" in output
    ours = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    theirs = {path for part in PARTS for path in (ROOT / part, *(ROOT / part).rglob("*")) if path.is_file()}
    assert ours.keys() == {str(path.relative_to(ROOT)) for path in theirs} | {"Makefile"}
    assert all(ours[str(path.relative_to(ROOT))] == path.read_bytes() for path in theirs)
    (folder / "config/ci.yaml").write_text("changed")
    (folder / "notes.txt").write_text("mine")
    code, _, error = sciml_command("init", folder)
    assert code == 2 and "is not empty" in error and "--force" in error
    assert (folder / "config/ci.yaml").read_text() == "changed"
    assert sciml_command("init", folder, "--force")[0] == 0
    assert (folder / "config/ci.yaml").read_bytes() == ours["config/ci.yaml"] and (folder / "notes.txt").read_text() == "mine"
    with pytest.raises(ConfigError, match="is a file"):
        lay_down(folder / "notes.txt", force=True)


@pytest.mark.skipif(shutil.which("make") is None, reason="not installed: make")
def test_make_runs_what_the_environment_has(tmp_path):
    lay_down(tmp_path)

    def make(*words: str) -> subprocess.CompletedProcess[str]:
        clean = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        return subprocess.run(["make", *words], cwd=tmp_path, env=clean, text=True, capture_output=True, check=False)

    text = make().stdout
    assert "demo" in text and "EXTRAS" not in text and "lint" not in text
    assert "sciml data fetch --data-tier ci" in make("-n", "data", "TIER=ci").stdout
    makefile = tmp_path / "Makefile"
    assert f"BIN := {SCRIPTS}\n" in makefile.read_text()
    makefile.write_text(makefile.read_text().replace(str(SCRIPTS), str(tmp_path)))
    refused = make("env")
    assert refused.returncode and "pip install 'sciml-workbench[workflow]'" in refused.stderr


@pytest.mark.workflow
def test_the_settings_of_the_folder_count(tmp_path):
    lay_down(tmp_path)
    with (tmp_path / "config/ci.yaml").open("a") as file:
        file.write("\nno_such_key: 1\n")
    command = ["snakemake", "-n", "-s", "workflows/imaging/Snakefile", "--config", "tier=ci"]
    path = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": path}, text=True, capture_output=True, check=False)
    assert result.returncode and "no_such_key" in result.stdout and str(tmp_path / "config/ci.yaml") in result.stdout
