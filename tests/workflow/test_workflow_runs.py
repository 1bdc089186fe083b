"""One story in one folder: a training diverges, is cured, is killed, goes on; then every edit runs exactly what it must."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from trees import EXAMPLE, Tree

from sciml.report import record_failure
from sciml.runtime import alive
from sciml.training import weights_digest

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

IMAGING = {
    "imaging_check_operators",
    "imaging_reconstruct_problems",
    "imaging_evaluate_reconstructions",
    "imaging_write_page",
}
LEARNED = {"example_train_filter", "example_evaluate_filter", "example_write_page"}
WEIGHTS = Path("results/tiny/example/train/filter.safetensors")
CHECKPOINT = Path("results/tiny/example/train/filter.safetensors.partial/checkpoint.safetensors")


@dataclass
class Run:
    """What one run left behind, read right after it."""

    code: int
    output: str
    index: str
    failures: list[dict[str, str]]
    files: set[str]

    @classmethod
    def of(cls, tree: Tree, code: int, output: str) -> Run:
        index = tree.root / "reports" / "tiny" / "index.html"
        records = [json.loads(path.read_text()) for path in sorted((tree.root / "reports" / "tiny" / "failures").glob("*.json"))]
        files = {str(path.relative_to(tree.root)) for path in (tree.root / "results").rglob("*") if path.is_file()}
        return cls(code, output, index.read_text() if index.is_file() else "", records, files)


@dataclass
class Story:
    """The tree and its runs, in order."""

    tree: Tree
    diverged: Run
    killed: Run
    locked: subprocess.CompletedProcess[str]
    orphaned: subprocess.CompletedProcess[str]
    resumed: Run
    log: str
    uninterrupted: Path


def training_process(parent: int) -> int:
    """Return the process of the training below a Snakemake process, or 0."""
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except (OSError, NotADirectoryError):
            continue
        if b"example" in words and b"train" in words and b"python" in words[0] and parent in ancestors(int(entry.name)):
            return int(entry.name)
    return 0


def ancestors(process: int) -> list[int]:
    found = []
    while process > 1:
        try:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
        found.append(process)
    return found


def killed_in_training(tree: Tree) -> tuple[Run, subprocess.CompletedProcess[str]]:
    """Start a run, hold its training after the first checkpoint, try a second run, kill the training."""
    log = tree.root / "killed.log"
    with log.open("w") as file:
        run = subprocess.Popen(tree.command(), cwd=tree.root, env=tree.environment, stdout=file, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + 120
            while not (tree.root / CHECKPOINT).is_file():
                assert run.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.02)
            process = training_process(run.pid)
            assert process, log.read_text()
            os.kill(process, signal.SIGSTOP)
            locked = tree.snakemake()
            os.kill(process, signal.SIGKILL)
            code = run.wait(120)
        finally:
            run.kill()
            run.wait()
    return Run.of(tree, code, log.read_text()), locked


def killed_around_training(tree: Tree) -> subprocess.CompletedProcess[str]:
    """Kill a Snakemake while it trains, try a run beside the training that it left, kill that too; its locks stay."""
    mark = tree.root / alive.MARK
    mark.write_text("")
    run = subprocess.Popen(
        tree.command(), cwd=tree.root, env=tree.environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    try:
        end = time.monotonic() + 120
        while not (found := re.search(r"^(\d+) example.train$", mark.read_text(), re.MULTILINE)):
            assert run.poll() is None and time.monotonic() < end, mark.read_text()
            time.sleep(0.02)
        os.kill(int(found[1]), signal.SIGSTOP)
        run.kill()
        run.wait()
        orphaned = tree.call("sciml", "run", "./tiny.yaml")
        os.kill(int(found[1]), signal.SIGKILL)
    finally:
        run.kill()
        run.wait()
    assert list((tree.root / alive.LOCKS).iterdir())
    return orphaned


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    tree = Tree.make(tmp_path_factory.mktemp("story"))
    tree.settings("diverging.yaml", learning_rate=1e30)
    first = tree.snakemake(settings="./diverging.yaml")
    diverged = Run.of(tree, first.returncode, first.stdout)
    killed, locked = killed_in_training(tree)
    orphaned = killed_around_training(tree)
    gone = "results/tiny/imaging/gone/solve"
    record_failure(tree.root / "reports" / "tiny", "imaging.solve", "solve", "not of this run", rule=gone)
    third = tree.snakemake()
    resumed = Run.of(tree, third.returncode, third.stdout)
    log = (tree.root / "logs/tiny/example/train.log").read_text()
    config = json.loads((tree.root / "results/tiny/example/train/provenance.json").read_text())["config"]
    plain = ("sciml", "stage", "example", "train", "--config", json.dumps(config), "--output", "plain", "--threads", "1")
    result = tree.call(*plain)
    assert result.returncode == 0, result.stdout
    return Story(tree, diverged, killed, locked, orphaned, resumed, log, tree.root / "plain" / WEIGHTS.name)


def test_a_failing_stage_does_not_stop_the_others(story):
    assert story.diverged.code != 0
    assert jobs_done(story.diverged.output) == IMAGING
    assert "reports/tiny/imaging.html" not in story.diverged.files and (story.tree.root / "reports/tiny/imaging.html").is_file()


def jobs_done(output: str) -> set[str]:
    return set(re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", output))


def test_a_failing_stage_leaves_nothing_half_written(story):
    assert not [name for name in story.diverged.files if "/example/" in name and ".partial/" not in name]


def test_the_index_shows_the_failure_with_traceback_and_command(story):
    (record,) = story.diverged.failures
    assert record["stage"] == "example.train"
    assert "Traceback" in record["traceback"] and "NumericalError" in record["traceback"]
    for part in ("example.train", "Traceback", "NumericalError", "sciml stage example train", "1e+30", "Classical"):
        assert part in story.diverged.index, part


def test_the_command_on_the_index_repeats_the_failure(story):
    result = story.tree.call("bash", "-c", story.diverged.failures[0]["command"].replace("results/tiny", "again"))
    assert result.returncode == 1
    (line,) = [line for line in result.stdout.splitlines() if "sciml: error:" in line]
    assert "step" in line and "learning rate 1e+30" in line


def test_the_log_of_the_failure_is_shown(story):
    assert "NumericalError" in story.diverged.output


def test_a_killed_stage_shows_as_killed(story):
    assert story.killed.code != 0
    (record,) = story.killed.failures
    assert record["stage"] == "example.train" and "killed" in record["traceback"]
    assert "1e+30" not in record["command"] and "Traceback" not in record["traceback"]
    assert "killed" in story.killed.index
    assert str(CHECKPOINT) in story.killed.files and str(WEIGHTS) not in story.killed.files


def test_a_second_run_in_the_folder_is_told_what_to_do(story):
    assert story.locked.returncode != 0
    assert "cannot be locked" in story.locked.stdout and "--unlock" in story.locked.stdout
    assert "Traceback" not in story.locked.stdout


def test_a_stage_that_outlived_a_killed_snakemake_keeps_others_out_in_one_line(story):
    assert story.orphaned.returncode == 1 and "Traceback" not in story.orphaned.stdout
    assert re.fullmatch(r"sciml: error: .* is at work in .* \(process \d+, example.train\): .*\n", story.orphaned.stdout)


def test_the_next_run_goes_on_where_the_killed_one_was(story):
    assert story.resumed.code == 0, story.resumed.output
    assert jobs_done(story.resumed.output) >= LEARNED and not jobs_done(story.resumed.output) & IMAGING
    step = re.search(r"going on from step (\d+) of 800", story.log)
    assert step and 50 <= int(step[1]) < 800 and int(step[1]) % 50 == 0
    assert str(CHECKPOINT) not in story.resumed.files and not (story.tree.root / CHECKPOINT.parent).exists()


def test_resumed_weights_and_history_equal_those_of_an_uninterrupted_run(story):
    weights = story.tree.root / WEIGHTS
    assert weights_digest(weights) == weights_digest(story.uninterrupted)
    assert weights.with_name("history.csv").read_bytes() == story.uninterrupted.with_name("history.csv").read_bytes()


def test_after_the_cure_the_index_shows_no_failure_and_none_of_stages_that_are_gone(story):
    assert story.resumed.failures == []
    assert "NumericalError" not in story.resumed.index and "not of this run" not in story.resumed.index
    assert "imaging.html" in story.resumed.index and "A learned filter" in story.resumed.index


def test_nothing_is_left_to_do_and_time_stamps_comments_and_docstrings_change_nothing(story):
    tree = story.tree
    for path in (*(tree.root / "sciml").rglob("*.py"), *(tree.root / "tests").rglob("*.py"), tree.root / "tiny.yaml"):
        path.touch()
    tree.edit("sciml/imaging/tasks/scores.py", '"""Return the central part', '"""Return the mean, the sample')
    tree.edit(
        "tests/example_family/sciml_example/stages/train.py", "    recorder = Recorder(", "    # why\n    recorder = Recorder("
    )
    tree.edit("workflows/imaging/rules/study.smk", "rule write_page:", "# the page\nrule write_page:")
    assert tree.pending() == set()


def test_a_copy_of_the_tree_elsewhere_repeats_nothing(story, tmp_path):
    """Files get new times, in another order than they were made; weights of the package are newer than what was made of them."""
    copy = tmp_path / "a copy"
    shutil.copytree(story.tree.root, copy, copy_function=shutil.copyfile, symlinks=True)
    for path in sorted((copy / "sciml").rglob("*.safetensors")):
        path.touch()
    shutil.copymode(story.tree.root / "bin" / "sciml", copy / "bin" / "sciml")
    environment = {name: value.replace(str(story.tree.root), str(copy)) for name, value in story.tree.environment.items()}
    assert Tree(copy, environment).pending() == set()


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        pytest.param(
            "sciml/imaging/tasks/scores.py",
            '{"unit": "dB"',
            '{"unit": "decibel"',
            {"imaging_evaluate_reconstructions", "imaging_write_page", "write_index"},
            id="evaluation",
        ),
        pytest.param(
            "sciml/classical/page/page.py",
            '"How well do',
            '"How far do',
            {"imaging_write_page", "write_index"},
            id="text of a page",
        ),
        pytest.param(
            "tests/example_family/sciml_example/stages/train.py",
            "batch_size=4",
            "batch_size=5",
            {*LEARNED, "write_index"},
            id="training of the example",
        ),
    ],
)
def test_an_edit_runs_its_stage_and_what_follows(story, path, old, new, expected):
    story.tree.edit(path, old, new)
    try:
        assert story.tree.pending() == expected
    finally:
        story.tree.edit(path, new, old)


def test_a_family_runs_alone(story):
    result = story.tree.snakemake("-n", "-F", snakefile=EXAMPLE)
    assert result.returncode == 0, result.stdout
    assert set(re.findall(r"^rule (\w+):", result.stdout, re.MULTILINE)) == {
        name.removeprefix("example_") for name in LEARNED
    } | {"study"}


def test_a_missing_artefact_is_made_again_though_the_pages_stand(story):
    path = story.tree.root / "results/tiny/imaging/denoise/solve/reconstructions.safetensors"
    path.rename(path.with_name("aside"))
    try:
        expected = {"reconstruct_problems", "evaluate_reconstructions", "write_page"}
        assert story.tree.pending() == {f"imaging_{name}" for name in expected} | {"write_index"}
    finally:
        path.with_name("aside").rename(path)
