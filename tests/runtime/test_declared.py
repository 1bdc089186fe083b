"""A job that loads or opens more than its rule declares says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sciml
from sciml.runtime.declared import FILES as FILES_VARIABLE
from sciml.runtime.declared import STRICT, VARIABLE, declaration, files_in_package, in_package
from sciml.runtime.provenance import Recorder
from sciml.runtime.sources import source_digest

PACKAGE = Path(sciml.__file__).parent
DEFAULT = PACKAGE / "active_fluid/weights/default.safetensors"
FILES = {
    "__init__.py": "",
    "method.py": "VALUE = 1\n",
    "hidden.py": "VALUE = 2\n",
    "stage.py": "from lab.method import VALUE\n",
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a body under a declaration in a process of its own: (exit code, standard error)."""
    for name, text in FILES.items():
        (tmp_path / "lab").mkdir(exist_ok=True)
        (tmp_path / "lab" / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    cache = tmp_path / "cache"
    (cache / "data" / "photo").mkdir(parents=True)
    (cache / "data" / "photo" / "photo.png").write_bytes(b"1")

    def call(body: str, files: tuple[object, ...] = (), settings: dict[str, object] | None = None, strict: bool = True):
        declared = {"modules": ["lab.stage"], "digest": ""}
        lines = [
            "from sciml.runtime.declared import compared, declare_data",
            "from sciml.runtime.files import load_tensors",
            "with compared():",
            f"    declare_data({settings or {}!r})",
            "    import lab.stage",
            *(f"    {line}" for line in body.splitlines()),
        ]
        environment = {VARIABLE: json.dumps(declared), "SCIML_CACHE": str(cache), FILES_VARIABLE: files_in_package(files)}
        environment |= {"PYTHONPATH": f"{tmp_path}:{PACKAGE.parent}", **({STRICT: "1"} if strict else {})}
        found = subprocess.run(
            [sys.executable, "-c", "\n".join(lines)], env=environment, capture_output=True, text=True, check=False
        )
        return found.returncode, found.stderr

    call.data = cache / "data" / "photo" / "photo.png"
    return call


@pytest.mark.parametrize(
    "body",
    [
        "",
        "import lab.method",
        f"load_tensors({str(DEFAULT)!r})",
        f"open({str(PACKAGE / 'report' / 'rendering.py')!r}).close()",
    ],
)
def test_what_is_declared_passes(run, body):
    assert run(body, files=(DEFAULT,)) == (0, "")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("import importlib\nimportlib.import_module('lab.hidden')", "lab.hidden"),
        ("import sciml.runtime.seeds", "sciml.runtime.seeds"),
        (f"load_tensors({str(DEFAULT)!r})", "sciml/active_fluid/weights/default.safetensors"),
        (f"import os\nos.close(os.open({str(DEFAULT)!r}, os.O_RDONLY))", "sciml/active_fluid/weights/default.safetensors"),
    ],
)
def test_a_module_by_name_and_a_weight_by_path_are_found(run, body, named):
    code, said = run(body)
    assert code == 1 and f"does not declare {named}" in said
    code, said = run(body, strict=False)
    assert code == 0 and said.startswith("warning: ") and named in said


def test_data_are_declared_by_the_digests_in_the_settings(run):
    body = f"open({str(run.data)!r}, 'rb').read()"
    assert "data set photo" in run(body)[1]
    own = {"digests": {"photo[0:3]": "1"}}
    assert run(body, settings=own) == run(body, settings={"part": own}) == (0, "")


def test_what_is_written_is_not_read(run, tmp_path):
    assert run(f"open({str(run.data.with_name('.stamp.json'))!r}, 'w').close()") == (0, "")
    new = str(run.data.with_name("new.bin"))
    assert run(f"from sciml.runtime.files import write_bytes\nwrite_bytes({new!r}, b'1')\nopen({new!r}).close()") == (0, "")
    os.utime(run.data, (2**32, 2**32))
    assert "data set photo" in run(f"open({str(run.data)!r}).close()")[1], "a file of the future is no file of the job"


def test_a_result_that_its_stage_did_not_write_is_refused_everywhere(run, tmp_path):
    result = tmp_path / "make" / "numbers.json"
    result.parent.mkdir()
    result.write_text("[1]")
    Recorder("lab.make", {}).write(result.with_name("provenance.json"), [result])
    body = f"open({str(result)!r}).read()"
    assert run(body) == (0, "")
    result.write_text("[2]")
    code, said = run(body, strict=False)
    assert code == 1 and "numbers.json is not what lab.make wrote" in said


def test_an_error_of_the_job_passes_through(run):
    code, said = run("import lab.hidden\nraise ValueError('mine')")
    assert code == 1 and "ValueError: mine" in said and "does not declare" not in said


def test_a_declaration_holds_the_digest_of_what_its_modules_reach():
    one, both = (
        json.loads(declaration(names)) for names in (["sciml.runtime.files"], ["sciml.runtime.files", "sciml.report.index"])
    )
    assert one["modules"] == ["sciml.runtime.files"] and one["digest"] == source_digest("sciml.runtime.files") != both["digest"]


def test_shipped_weights_lie_in_the_package(tmp_path):
    assert in_package(DEFAULT) and not in_package(tmp_path / "own.safetensors")
    assert files_in_package([tmp_path / "own.safetensors", DEFAULT]) == "active_fluid/weights/default.safetensors"
