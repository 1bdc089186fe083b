"""What every family declares of its stages, and the one command that runs them."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from imports import ROOT

from sciml.families import BUILT_IN
from sciml.runtime.errors import ConfigError
from sciml.stages import Named, stages_of


def stages_in(family):
    """Return the files of a family's stages by name: modules, or packages where a stage has several."""
    folder = ROOT.parent.joinpath(*BUILT_IN[family].split("."), "stages")
    found = {path.stem: path for path in folder.glob("*.py")} | {path.parent.name: path for path in folder.glob("*/__init__.py")}
    return {name: path for name, path in found.items() if "\ndef run(" in path.read_text()}


def run_of(family, name):
    """Return the positions and keywords of a stage's `run`, read from its source: loading it would load torch or jax."""
    path = stages_in(family)[name]
    functions = [one for one in ast.parse(path.read_text()).body if isinstance(one, ast.FunctionDef) and one.name == "run"]
    arguments = functions[0].args
    return [one.arg for one in [*arguments.args, *arguments.kwonlyargs]]


@pytest.mark.parametrize("family", BUILT_IN)
def test_every_stage_takes_what_it_declares(family):
    wrong = []
    for name, declared in stages_of(family).items():
        taken = run_of(family, name)[1:] if declared.settings else run_of(family, name)
        wanted = {*declared.inputs, "output", *(["workers"] if declared.workers else [])}
        if set(taken) - {"device"} != wanted or ("device" in taken and not declared.gpu):
            wrong.append(f"{family}.{name} takes {taken}, declares {sorted(wanted)}")
    assert not wrong


@pytest.mark.parametrize("family", BUILT_IN)
def test_every_stage_is_declared(family):
    assert set(stages_of(family)) == set(stages_in(family))


def test_named_files_are_gathered_by_name_and_a_bare_path_is_refused():
    convert = Named("weights").convert
    gathered = convert(["a=1", "b=2", "a=3=x"], "--weights")
    assert {name: [str(path) for path in paths] for name, paths in gathered.items()} == {"a": ["1", "3=x"], "b": ["2"]}
    with pytest.raises(ConfigError, match="--weights is '4', expected NAME=FILE"):
        convert(["4"], "--weights")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tune", "--config", "{}", "--pairs", "absent", "--kernels", "absent"], "--config: prior"),
        (["simulate", "--config", "{"], "--config is not valid JSON"),
        (
            ["ablate-report", "--config", '{"tier": "ci", "data_tier": "ci", "sets": []}', "--results", "absent"],
            "no such file: absent",
        ),
    ],
)
def test_settings_and_inputs_are_refused_before_anything_heavy_loads(words, message, tmp_path):
    program = "import sys; from sciml.cli import main\ntry: main()\nfinally: print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    words = ["sciml", "stage", "deblurring", *words, "--output", str(tmp_path / "out")]
    call = f"import sys; sys.argv = {words!r}\n{program}"
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
    assert done.stdout.strip() == "[]" and done.returncode == 2
