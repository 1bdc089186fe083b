"""What is declared is what is imported: the core and the extras, and the line where one is absent."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from imports import graph, modules, reached

from sciml.families import BUILT_IN
from sciml.runtime.extras import CORE, DISTRIBUTION, EXTRAS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FAMILIES = {family.replace("_", "-"): package for family, package in BUILT_IN.items()}
# each is asked for in one place, which names the extra
GUARDED = {
    "deepinv": {"sciml.imaging.operators.linear", "sciml.proximal.plugins.deepinv"},
    "bm3d": {"sciml.imaging.solvers.classical"},
    "pillow_heif": {"sciml.compression.study.margins.codecs"},
}
# of the extra `dev`: rows of a page that says so where they are not there
DEVELOPMENT = {"pysz": {"sciml.compression.study.exact"}, "zfpy": {"sciml.compression.study.exact"}}
ENTRY = ("cli", "config", "commands.stages")


def below(package: str) -> list[str]:
    return [name for name in modules() if name == package or name.startswith(f"{package}.")]


def foreign(names) -> set[str]:
    """Return what other packages modules import, wherever; the guarded ones apart."""
    found = {other for name in names for other in graph()[name].foreign}
    return found - set(sys.stdlib_module_names) - GUARDED.keys() - DEVELOPMENT.keys()


def test_the_core_is_what_every_command_and_format_imports():
    """All of the modules that are no family's, whatever they import when they are used, and what lists the families."""
    own = [name for name in modules() if name.split(".")[1:2] not in [[one] for one in ("imaging", "training")]]
    own = [name for name in own if not any(name in below(package) for package in FAMILIES.values())]
    assert foreign(own) == set(CORE)
    entries = {f"{package}.{room}" for package in FAMILIES.values() for room in ENTRY}
    early = {name for entry in entries for name in reached(entry, early=True)}
    assert {other for name in early for other in graph()[name].early_foreign} - set(sys.stdlib_module_names) <= set(CORE)


@pytest.mark.parametrize("extra", FAMILIES)
def test_an_extra_is_what_its_family_imports(extra):
    """All that the family's modules reach, the shared ones among them, is in the core or in the extra, and nothing else is."""
    names = {name for one in below(FAMILIES[extra]) for name in reached(one)}
    assert foreign(names) - set(CORE) == set(EXTRAS[extra])


def test_optional_packages_are_asked_for_where_the_extra_is_named():
    for package, places in (GUARDED | DEVELOPMENT).items():
        assert {name for name, found in graph().items() if package in found.foreign} == places
        for place in places if package in GUARDED else ():
            assert re.search(r"explained\(|remedy\(", modules()[place].read_text())


def test_the_project_declares_the_same():
    distributions = {module: {name.lower() for name in names} for module, names in packages_distributions().items()}
    distributions |= {"bm3d": {"bm3d"}, "pillow_heif": {"pillow-heif"}}
    declared = PROJECT["optional-dependencies"]

    def named(requirements) -> set[str]:
        """Return the packages of requirements, in place of the workbench's own extras theirs."""
        found = {re.match(r"[\w.-]+", one)[0].lower() for one in requirements}
        own = [
            extra for one in requirements if one.startswith(DISTRIBUTION) for extra in one[len(DISTRIBUTION) + 1 : -1].split(",")
        ]
        return (found - {DISTRIBUTION}).union(*(named(declared[extra]) for extra in own))

    def installed(names) -> set[str]:
        return {next(iter(distributions[module])) for module in names}

    assert PROJECT["name"] == DISTRIBUTION and named(PROJECT["dependencies"]) == installed(CORE)
    for extra, names in EXTRAS.items():
        assert named(declared[extra]) - (named(declared["imaging"]) if extra == "deepinv" else set()) == installed(names), extra
    (everything,) = declared["all"]
    assert everything == f"{DISTRIBUTION}[{','.join(extra for extra in EXTRAS if extra not in ('compare', 'nonfree'))}]"


def test_the_guide_lists_every_extra():
    rows = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs/install.md").read_text(), re.MULTILINE)
    assert set(rows) == PROJECT["optional-dependencies"].keys() - {"dev", "docs", "lock", "s3-test"}


BLOCKED = """
import contextlib, importlib, json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

blocked, families, command = json.loads(sys.argv[1])
sys.meta_path.insert(0, Absent())
import sciml.runtime.extras
sciml.runtime.extras.find_spec = lambda name: None if name in blocked else True
for extra, package in families.items():
    module = importlib.import_module(package)
    for name in getattr(module, "__all__", ()):
        try:
            getattr(module, name)
        except sciml.runtime.extras.MissingPackage as error:
            print(extra, error)
            break
from sciml.cli import main
for words in command:
    sys.argv = ["sciml", *words]
    with contextlib.suppress(SystemExit):
        main()
"""


def test_an_absent_package_is_one_line_that_names_the_extra(tmp_path):
    """The public API of every family, a command and a stage of each; the help lists all and says which is not installed."""
    blocked = sorted({name for names in EXTRAS.values() for name in names})
    commands = [
        ["imaging", "solve", "a.png", "--task", "denoise", "--out", "b.png"],
        ["proximal", "denoise", "a.png", "--out", "b.png"],
        ["deblurring", "restore", "a.png", "--kernel", "disk:3", "--out", "b.png"],
        ["active-fluid", "simulate", "--alpha", "-1", "--zeta", "0.5", "--out", "run.zarr"],
        ["compression", "encode", "a.png", "b.nic"],
        ["stage", "progression", "simulate_cohorts", "--config", "{}", "--output", "out"],
        ["stage", "imaging", "check", "--config", "{}", "--output", "out"],
        ["--help"],
    ]
    (tmp_path / "a.png").write_bytes((ROOT / "docs/report.png").read_bytes())
    given = json.dumps([blocked, FAMILIES, commands])
    result = subprocess.run([sys.executable, "-c", BLOCKED, given], capture_output=True, text=True, cwd=tmp_path, check=False)
    lines = result.stderr.splitlines()
    assert len(lines) == len(commands) - 1, result.stderr
    for words, line in zip(commands, lines, strict=False):
        extra = words[words[0] == "stage"]
        remedy = re.escape(f"pip install 'sciml-workbench[{extra}]'")
        assert re.fullmatch(rf"sciml: error: [\w, ]+ (is|are) not installed: {remedy}", line), line
    for extra, package in FAMILIES.items():
        if package != "sciml.classical":  # its public API is that of sciml.imaging
            assert f"pip install 'sciml-workbench[{extra}]'" in result.stdout
        assert f"NOT INSTALLED, pip install 'sciml-workbench[{extra}]'" in re.sub(r"[\s│]+", " ", result.stdout)
