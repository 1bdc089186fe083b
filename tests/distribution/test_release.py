"""One name, one version and one date, wherever they are said."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import yaml

from sciml import __version__
from sciml.runtime.extras import DISTRIBUTION

ROOT = Path(__file__).resolve().parents[2]
# what would install the package of somebody else that the index has under the name of this one's modules
FOREIGN = re.compile(
    r"""pip3? install[^\n]*?[ \t'"]sciml(?![\w/.-])"""
    r"""|[\s'"`]sciml\["""
    r"""|(version|requires|distribution|metadata)\(["']sciml["']\)"""
)


def texts():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split("\0")
    names = listed if len(listed) > 1 else [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if ".venv" not in path.parts]
    for name in filter(None, names):
        path = ROOT / name
        if path.is_file() and path.suffix not in {".safetensors", ".png", ".woff2", ".nic"} and "vendor" not in name:
            yield name, path.read_text(encoding="utf-8", errors="ignore")


def test_no_text_installs_the_package_of_somebody_else():
    own = Path(__file__).relative_to(ROOT).as_posix()
    found = [f"{name}: {match[0]}" for name, text in texts() if name != own for match in FOREIGN.finditer(text)]
    assert not found
    for wrong in ("pip install sciml", "pip install 'sciml[slurm]'", "pip install -U sciml\n", 'metadata.version("sciml")'):
        assert FOREIGN.search(wrong), wrong
    for right in (f"pip install '{DISTRIBUTION}[all]'", "pip install -e '.[all]'", "pip install dist/sciml_workbench-0.1.0.whl"):
        assert not FOREIGN.search(right), right


def test_the_version_is_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    version, date = re.search(r"^## (\S+) \((.+)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE).groups()
    assert project["project"]["dynamic"] == ["version"] and project["tool"]["hatch"]["version"]["path"] == "sciml/__init__.py"
    assert {__version__, version, citation["version"]} == {__version__}
    assert date == str(citation["date-released"])
    assert citation["license"] == project["project"]["license"]
    assert [one["name"] for one in citation["authors"]] == [one["name"] for one in project["project"]["authors"]]


def test_the_container_copies_what_is_there_and_what_the_wheel_needs():
    lines = (ROOT / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    copied = {path.removeprefix("./") for line in lines if line.startswith("COPY") for path in line.split()[1:-1]}
    assert not [path for path in copied if not (ROOT / path).exists()]
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], "pyproject.toml", "README.md", "LICENSE"}
    assert needed <= copied
    assert any(re.search(r"pip install .*--constraint constraints\.txt '\.\[all\]'", line) for line in lines)
