"""What the fault drill calls half-written, told and a stage; and its short form: a small study that is killed and disturbed."""

from __future__ import annotations

import random

import pytest
from drill.faults import Drill, equal_seconds, two_at_once
from drill.kills import Killer, stage_of
from drill.tree import ODD, Broke, Copy, Ended, artefacts, half_written

from sciml.runtime.files import UNFINISHED


def test_what_is_half_written(tmp_path):
    finished = ["results/small/a/metrics.json", "results/small/a/.snakemake_timestamp", "reports/small/index.html"]
    unfinished = [
        f"results/small/a/.metrics{UNFINISHED}1.json",
        "results/small/a.partial/checkpoint.safetensors",
        "reports/failures/imaging.json",
        ".snakemake/locks/0.input.lock",
        ".snakemake/incomplete/x",
    ]
    for name in finished:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(half_written(tmp_path)) == []
    for name in unfinished:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(half_written(tmp_path)) == sorted([*unfinished[:1], "results/small/a.partial", *unfinished[2:]])


def test_what_a_run_must_say():
    said = Ended(1, "Traceback: x is damaged\nsciml: error: x is damaged; remove x\n")
    assert said.told("damaged", "remove") == "sciml: error: x is damaged; remove x"
    with pytest.raises(Broke, match="no line says"):
        said.told("damaged", "fetch")
    with pytest.raises(Broke, match="it succeeded"):
        Ended(0, said.output).told("damaged")
    with pytest.raises(Broke, match="exit code 1"):
        said.green()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["/venv/bin/python", "/venv/bin/sciml", "stage", "active-fluid", "held-out", "--config", "{}"],
            ("active_fluid", "held_out"),
        ),
        (["bash", "-c", "sciml stage imaging check"], None),
        (["/venv/bin/python", "/venv/bin/sciml", "run", "ci", "--family", "all"], None),
        ([], None),
    ],
)
def test_the_process_of_a_stage(words, expected):
    assert stage_of(words) == expected


def test_numbers_that_differ_are_found(tmp_path):
    copy = Copy(tmp_path)
    metrics = tmp_path / "results" / "small" / "metrics.json"
    metrics.parent.mkdir(parents=True)
    metrics.write_text('{"psnr": 31.5, "seconds": 2}')
    expected = dict(artefacts(metrics.parent))
    metrics.write_text('{"psnr": 31.5, "seconds": 3}')
    copy.check(expected)
    metrics.write_text('{"psnr": 31.6, "seconds": 2}')
    with pytest.raises(Broke, match=r"1 of 1 results differ: metrics\.json"):
        copy.check(expected)


@pytest.mark.slow
@pytest.mark.workflow
def test_a_small_study_that_is_killed_doubled_and_touched_ends_as_one_that_nobody_disturbed(tmp_path, need_data):
    need_data("camera")
    plain = Copy.make(tmp_path / "plain")
    plain.demo().green()
    expected = dict(artefacts(plain.root / "results" / "small"))
    copy = Copy.make(tmp_path / ODD)
    copy.umask = 0o077
    copy.variables = {"CI": ""}
    killer = Killer(copy, random.Random(1), ["imaging"], print, each=2, others={"everything": 1})
    killer.run("SETTINGS=small.yaml")
    assert killer.hits["imaging"] >= 2 and killer.signals >= 2
    copy.check(expected)
    drill = Drill(copy, expected, random.Random(2), print)
    equal_seconds(drill)
    two_at_once(drill)
