"""What `sciml run` does around Snakemake, with a stand-in for it: audit, index, exit codes, one run at a time, a sealed home."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from trees import ROOT

from sciml import running
from sciml.runtime import alive
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import UNFINISHED

MY = "imaging:\n  studies:\n    denoise: {variants: {sigma 0.1: {sigma: 0.1}}}\n"
SNAKEMAKE = """#!/usr/bin/env bash
echo "$*" >> calls
case "$*" in
  *--report*) touch "$REPORTS/audit.zip" ;;
  *) [ -z "${WORK:-}" ] || { mkdir -p "$REPORTS"; touch "$REPORTS/imaging.html"; }; eval "${DO:-exit ${CODE:-0}}" ;;
esac
"""


@pytest.fixture
def call(tmp_path, monkeypatch, sciml_command):
    """Return a function that runs `sciml run` with a Snakemake that only notes its calls; it returns code, errors and these."""
    program = tmp_path / "snakemake"
    program.write_text(SNAKEMAKE)
    program.chmod(0o755)
    for name, text in (("Snakefile", ""), ("my.yaml", MY)):
        (tmp_path / name).write_text(text)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.setattr(running.shutil, "which", lambda name, path: str(program))
    monkeypatch.setattr(running, "_data", lambda tier: f"{tier}-there")

    def run(*words: str, reports: str = "reports", **environment: str) -> tuple[int, str, list[str]]:
        (tmp_path / "calls").write_text("")
        with monkeypatch.context() as context:
            for name, value in {"REPORTS": reports, "WORK": "", "CODE": "0", "DO": "", **environment}.items():
                context.setenv(name, value)
            code, out, err = sciml_command("run", *words)
        return code, out + err, (tmp_path / "calls").read_text().splitlines()

    return run


def test_the_audit_is_made_again_only_after_newer_pages(call, tmp_path):
    code, out, calls = call("ci", WORK="1")
    assert code == 0 and f"report: {tmp_path}/reports/index.html" in out
    words = "--profile profiles/default --config tier=ci data_tier=ci-there family=all"
    assert calls == [f"{words} -- all", f"{words} --quiet all --report reports/audit.zip -- all"]
    for name, age in (("imaging.html", 1e9), ("audit.zip", 1.1e9)):
        os.utime(tmp_path / "reports" / name, (age, age))
    assert len(call("ci")[2]) == 1
    assert len(call("ci", WORK="1")[2]) == 2
    (tmp_path / "reports" / "audit.zip").unlink()
    assert call("ci", "--family", "imaging")[2][1].endswith("--report reports/audit.zip -- imaging")


def test_a_study_of_ones_own_has_its_own_pages_and_audit(call, tmp_path):
    code, out, calls = call("my.yaml", reports="reports/my", WORK="1")
    assert code == 0 and f"report: {tmp_path}/reports/my/index.html" in out and "data_tier=default-there" in calls[0]
    assert calls[1].endswith("--report reports/my/audit.zip -- all")
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["index.html", "my"]
    code, err, calls = call("my.yaml", "--family", "proximal")
    assert code == 2 and calls == [] and "my.yaml does not speak of 'proximal': choose among all, imaging" in err


def test_a_failing_run_is_the_exit_code_and_names_the_index_that_stands(call, tmp_path):
    code, out, calls = call("ci", CODE="7")
    assert code == 7 and len(calls) == 1 and "report:" not in out
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "index.html").touch()
    assert "report:" in call("ci", CODE="7")[1]
    code, out, _ = call("ci", DO="kill -9 $$")
    assert code == 128 + signal.SIGKILL and "the same command goes on" in out


def test_a_folder_without_a_workflow_is_refused(call, tmp_path):
    (tmp_path / "Snakefile").unlink()
    code, err, calls = call("ci")
    assert code == 1 and calls == [] and "has no Snakefile" in err and "Traceback" not in err


def test_a_full_disk_is_said_after_a_failing_run_and_never_after_a_green_one(call, tmp_path, monkeypatch):
    monkeypatch.setattr(running.shutil, "disk_usage", lambda path: SimpleNamespace(free=4096))
    code, out, _ = call("ci", CODE="1")
    assert code == 1 and f"sciml: error: no space left: {tmp_path} has 4 KiB; free some, the same command goes on\n" in out
    assert "no space left" not in call("ci")[1]
    monkeypatch.setattr(running.shutil, "disk_usage", lambda path: SimpleNamespace(free=2**30))
    assert "no space left" not in call("ci", CODE="1")[1]


def test_a_folder_that_cannot_be_written_is_one_line(call, tmp_path):
    """A file stands where a folder must be: root cannot write there either."""
    (tmp_path / ".snakemake").touch()
    code, err, calls = call("ci")
    assert code == 1 and calls == [] and err.count("\n") == 1
    assert f"{tmp_path} cannot be written: " in err and "run in a folder of your own" in err


HOLD = """
import sys, time
from pathlib import Path
from sciml.runtime import alive
if sys.argv[1] == "run":
    with alive.only_run(Path.cwd()):
        print("held", flush=True)
        time.sleep(60)
alive.join(what="imaging.solve")
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Return a function that starts a process which has one of the locks of the folder, and returns it."""
    started = []

    def start(what: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", HOLD, what]
        process = subprocess.Popen(words, cwd=tmp_path, text=True, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def noted(folder: Path) -> Path:
    """Leave what a killed Snakemake leaves."""
    path = folder / alive.LOCKS / "0.input.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("results/x\n")
    return path


def test_a_second_run_is_refused_in_one_line_and_a_killed_one_keeps_nobody_out(call, holder, tmp_path):
    first = holder("run")
    code, err, calls = call("ci")
    assert code == 1 and calls == [] and err.count("\n") == 1
    assert f"another run is at work in {tmp_path} (process {first.pid} since " in err
    first.kill()
    first.wait()
    assert call("ci")[0] == 0


def test_what_a_killed_run_locked_is_freed_when_nobody_is_at_work(call, holder, tmp_path, monkeypatch):
    monkeypatch.setattr(alive, "_held", {})
    monkeypatch.chdir(tmp_path)
    lock = noted(tmp_path)
    unfinished = tmp_path / "results" / "x" / f".metrics{UNFINISHED}1.json"
    unfinished.parent.mkdir(parents=True)
    unfinished.touch()
    (tmp_path / "results" / "x" / "metrics.json").touch()
    stage = holder("stage")
    code, err, calls = call("ci")
    assert code == 1 and calls == [] and err.count("\n") == 1 and f"(process {stage.pid}, imaging.solve)" in err
    alive.join(free=True)
    assert lock.exists() and unfinished.exists(), "somebody is at work"
    alive._held.clear()
    stage.kill()
    stage.wait()
    assert call("ci")[0] == 0 and lock.exists()
    alive.join()
    assert lock.exists() and unfinished.exists(), "a job on another machine frees nothing"
    alive._held.clear()
    alive.join(free=True)
    assert not lock.exists() and [path.name for path in unfinished.parent.iterdir()] == ["metrics.json"]


def test_signals_reach_snakemake(call, tmp_path):
    """It ends its jobs when it is told to."""
    program = (
        "import os, signal, sys\nfrom sciml import running\nrunning.shutil.which = lambda name, path: './snakemake'\n"
        "sys.exit(running._snakemake('ci', 'ci', 'p', 'all'))"
    )
    trap = "trap 'echo told > told; exit 9' TERM\necho ready > ready\nwhile :; do sleep 0.02; done\n"
    (tmp_path / "snakemake").write_text("#!/usr/bin/env bash\n" + trap)
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, start_new_session=True)
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "ready").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        process.terminate()
        assert process.wait(20) == 9 and (tmp_path / "told").exists()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME"])
def test_a_home_that_cannot_be_written_is_told_and_replaced(tmp_path, monkeypatch, capfd, variable):
    """A file stands where a folder must be: nobody can write there, root neither."""
    (tmp_path / "sealed").touch()
    for name in ("XDG_CACHE_HOME", "SCIML_CACHE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv(variable, str(tmp_path / "sealed"))
    monkeypatch.chdir(tmp_path)
    running._writable_home()
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / ".cache") and "SCIML_CACHE" not in os.environ
    assert "cannot be written: caches lie in" in capfd.readouterr().err
    running._writable_home()
    assert capfd.readouterr().err == ""


def test_data_in_a_home_that_cannot_be_written_are_read(tmp_path, monkeypatch):
    (tmp_path / ".cache" / "sciml" / "data").mkdir(parents=True)
    for name in ("XDG_CACHE_HOME", "SCIML_CACHE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def sealed(option, folder):
        raise ConfigError("read-only")

    monkeypatch.setattr(running, "check_place", sealed)
    running._writable_home()
    assert os.environ["SCIML_CACHE"] == str(tmp_path / ".cache" / "sciml")
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "here" / ".cache")
