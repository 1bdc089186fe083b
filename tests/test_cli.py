"""The command line as a user meets it: help, one line for every mistake, settings."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from typing import Any

import PIL.Image
import pytest
from command_line import not_one_line, root_command

from sciml.families import families


@pytest.fixture
def run(sciml_command):
    """Run one command in an empty folder; return (exit code, standard output, standard error)."""
    return sciml_command


def commands() -> dict[tuple[str, ...], Any]:
    """Return every command and group by its words."""
    found, waiting = {}, [((), root_command(tuple(families())))]
    while waiting:
        words, command = waiting.pop()
        found[words] = command
        waiting += [((*words, name), below) for name, below in getattr(command, "commands", {}).items()]
    return dict(sorted(found.items()))


def test_every_help_teaches(run):
    bad = {}
    for words, command in commands().items():
        code, out, err = run(*words, "--help")
        text = " ".join(re.sub(r"[│╭╰─╮╯]", " ", out).split())
        first = " ".join(command.help.split()[:4]).replace("`", "")
        taught = len(command.help) > 15 and first in text.replace("`", "") and " ".join(("Usage:", *words)).split()[-1] in text
        silent = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
        for parameter in command.params:
            names = {parameter.name, getattr(parameter, "metavar", None) or parameter.name, *parameter.opts}
            if not any(name.replace("_", "-") in text.replace("_", "-") for name in names):
                silent.append(parameter.name)
        if code or err or silent or not taught:
            bad[" ".join(words)] = err or silent or out
    assert not bad


MISTAKES = [
    ("imaging nope", "No such command 'nope'"),
    ("config show --tier huge", "no tier is called 'huge'; there are ci, demo, cpu, gpu"),
    ("config show --tier ci --set master_seed", "an override looks like master_seed=3"),
    ("config show --tier ci --set master_seed=-3", "master_seed"),
    ("config show --tier ci --stage nope.train", "no family is called 'nope'"),
    ("config show --tier ci --stage imaging.nope", "no stage 'nope'; there are check, evaluate, measure, reconstruct, report"),
    ("config show --tier ci --stage imaging.measure", "is run for task, got []"),
    ("config show --tier ci --stage imaging.measure --argument nope", "have no task 'nope'"),
    ("config check ./absent.yaml", "cannot read the settings absent.yaml: No such file"),
    ("config check typo.yaml", "unknown key imaging.check_sise; allowed here: check_size, studies"),
    ("config check negative.yaml", "imaging.check_size.0: Input should be greater than or equal to 16, got -64"),
    ("config check broken.yaml", "not valid YAML"),
    ("config check list.yaml", "must be a YAML mapping of settings, got list"),
    ("data fetch --only nope", "no data set 'nope'"),
    ("report check absent.html", "absent.html"),
]


@pytest.fixture
def files(tmp_path):
    """Settings with a mistake in the folder that commands run in."""
    (tmp_path / "typo.yaml").write_text("tier: ci\ndata_tier: ci\nimaging: {check_sise: [64, 64]}\n")
    (tmp_path / "negative.yaml").write_text("tier: ci\ndata_tier: ci\nimaging: {check_size: [-64, 64]}\n")
    (tmp_path / "broken.yaml").write_text("tier: [ci\n")
    (tmp_path / "list.yaml").write_text("- ci\n")
    return tmp_path


def test_a_mistake_is_one_line_and_leaves_nothing(run, files):
    assert not not_one_line(run, files, MISTAKES)


def test_debug_shows_where_and_keeps_the_exit_code(run):
    code, _, err = run("--debug", "config", "show", "--tier", "huge")
    assert code == 2 and "Traceback" in err and "in load" in err
    assert err.splitlines()[-1].startswith("sciml: error: no tier is called")


@pytest.mark.parametrize("words", ["doctor", "imaging compare photo.png photo.png"])
def test_ctrl_c_ends_with_130_and_one_line(run, tmp_path, monkeypatch, words):
    def stop(*arguments, **settings):
        raise KeyboardInterrupt

    PIL.Image.linear_gradient("L").save(tmp_path / "photo.png")
    monkeypatch.setattr("sciml.doctor.examine", stop)
    monkeypatch.setattr("sciml.classical.commands.single.read_image", stop)
    code, out, err = run(*words.split())
    assert code == 130 and not out
    assert err.startswith("sciml: error: ") and "interrupted" in err and err.count("\n") == 1


def test_a_card_that_the_packages_cannot_use_is_one_line_with_what_to_do(run, monkeypatch):
    def fail():
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr("sciml.doctor.examine", fail)
    code, out, err = run("doctor")
    assert (code, out, err.count("\n")) == (2, "", 1) and "make env EXTRAS=cuda" in err and "please report" not in err


@pytest.mark.parametrize(("number", "remedy"), [(errno.ENOSPC, "free some space, the same command goes on"), (errno.EIO, "")])
def test_a_full_disk_is_one_line_with_what_to_do(run, monkeypatch, number, remedy):
    def fail():
        raise OSError(number, "it broke")

    monkeypatch.setattr("sciml.doctor.examine", fail)
    assert run("doctor") == (1, "", f"sciml: error: OSError: [Errno {number}] it broke{remedy and '; '}{remedy}\n")


def test_config_show_resolves_a_tier_a_stage_and_overrides(run):
    code, out, _ = run("config", "show", "--tier", "ci")
    settings = json.loads(out)
    assert code == 0 and settings["tier"] == "ci" and settings["imaging"]["studies"]["denoise"]["size"] == [128, 128]
    words = "config show --tier ci --stage imaging.measure --argument denoise --set imaging.studies.denoise.test_images=2"
    part = json.loads(run(*words.split())[1])
    assert part["task"] == "denoise" and part["test_images"] == 2 and part["seed"] == settings["master_seed"]
    from sciml.imaging.tasks.studies import MeasureConfig

    assert set(part) == set(MeasureConfig.model_fields)


def test_config_check_accepts_every_tier_and_names_the_schema(run):
    code, out, _ = run("config", "check")
    assert code == 0 and out.splitlines() == ["ci: good", "demo: good", "cpu: good", "gpu: good"]
    assert json.loads(run("config", "schema")[1])["properties"]["imaging"]


def test_the_help_and_a_wrong_setting_load_no_framework():
    program = (
        "import sys, contextlib\nfrom sciml import cli\nfor words in (['--help'], ['config', 'check', './absent.yaml']):\n"
        "    sys.argv = ['sciml', *words]\n    with contextlib.suppress(SystemExit):\n        cli.main()\n"
        "print(sorted({'torch', 'jax', 'numpy', 'deepinv'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.stdout.splitlines()[-1] == "[]", result.stdout + result.stderr
    assert result.stderr.count("sciml: error:") == 1
