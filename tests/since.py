"""Which slow tests a change can reach: `pytest --since COMMIT` leaves out those whose code is that of the commit.

A test rests on its own file, on the helpers beside it and above, and on the modules that these import in the end. A test that
runs commands or jobs, which find their code by name, rests on the whole package that its folder is named after, on workflows,
settings and declared data; outside such a folder on everything. A page of the manual rests on itself and on the packages that it
names; on everything where it needs a checkout.
"""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path, PurePath

import pytest
from docs.blocks import ALL, PAGES
from imports import homes, modules, reached, targets_of

from sciml.families import BUILT_IN

ROOT = Path(__file__).resolve().parents[1]
BY_NAME = re.compile(r"sciml_command|snakemake|subprocess|families\(|import_module")
NAMED = re.compile(r"\bsciml[. ]([a-z_-]+)")
FOUND_BY_NAME = ("workflows", "config", "profiles", "Snakefile")
FOR_ALL = re.compile(r"pyproject\.toml|constraints\.txt|tests/conftest\.py|data/.*")
NEVER = (".ci", "benchmarks", "docs", "README.md", "CHANGELOG.md")
TESTS = PurePath("tests")


def changed(commit: str) -> list[PurePath] | None:
    """Return the paths that are not as at a commit; None where git does not know it."""
    words = ["git", "diff", "--name-only", "-z", commit, "--"]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return [PurePath(name) for name in result.stdout.split("\0") if name] if result.returncode == 0 else None


def matters(path: PurePath) -> bool:
    """Return whether a file can change what a checkout does: texts, benchmarks and other tests cannot."""
    return path.parts[0] not in NEVER and not path.name.startswith("test_")


def package_of(name: str) -> str:
    """Return the package of a folder of tests or of a word after `sciml`, or nothing."""
    packages = [BUILT_IN.get(name, ""), f"sciml.{name}", *(one for one in BUILT_IN.values() if one.endswith(f".{name}"))]
    return next((one for one in packages if one in modules()), "")


def whole(package: str) -> set[str]:
    """Return all modules of a package."""
    return {name for name in modules() if f"{name}.".startswith(f"{package}.")}


@cache
def foundations(names: frozenset[str]) -> frozenset[PurePath]:
    """Return the files of all modules that some load in the end, and the folders of the packages among them."""
    files = {modules()[one].relative_to(ROOT) for one in set().union(*map(reached, names))}
    return frozenset(files | {path.parent for path in files if path.name == "__init__.py"})


def rests_on(names: set[str], changes: list[PurePath]) -> bool:
    """Return whether a change is in a module that some load in the end, or in what travels with its package."""
    found = foundations(frozenset(names))
    return any((one if one.suffix == ".py" else home(one)) in found for one in changes)


def home(path: PurePath) -> PurePath:
    """Return the folder of the package that a file travels with."""
    return next((one for one in path.parents if (ROOT / one / "__init__.py").is_file()), path)


@cache
def rests_on_files(test: PurePath) -> dict[PurePath, str]:
    """Return the text of a file of tests, of the helpers beside it and above, and of those that these import, in the end."""
    folders = [folder for folder in test.parents if len(folder.parts) > 1]
    waiting = [test, *(path for one in folders for path in files_of(one))]
    found: dict[PurePath, str] = {}
    while waiting:
        if (path := waiting.pop()) not in found:
            found[path] = (ROOT / path).read_text(encoding="utf-8")
            names = {target.partition(".")[0] for target in targets_of(ast.parse(found[path]))}
            waiting += [
                path for name in names for path in (*files_of(TESTS / name), TESTS / f"{name}.py") if (ROOT / path).is_file()
            ]
    return found


def files_of(folder: PurePath) -> list[PurePath]:
    """Return the files of a folder of tests that are no tests."""
    return [path.relative_to(ROOT) for path in sorted((ROOT / folder).glob("*.py")) if not path.name.startswith("test_")]


def test_is_touched(test: PurePath, changes: list[PurePath]) -> bool:
    """Return whether changes can reach the tests of a file."""
    texts = rests_on_files(test)
    names = set().union(*(homes(one) for text in texts.values() for one in targets_of(ast.parse(text))))
    package = package_of(test.parts[1]) if test.parts[1] not in ("runtime", "training", "workflow") else ""
    if any(map(BY_NAME.search, texts.values())):
        if not package:
            return any(map(matters, changes))
        names |= whole(package)
        if any(one.parts[0] in FOUND_BY_NAME for one in changes):
            return True
    return any(one in texts or FOR_ALL.fullmatch(one.as_posix()) for one in changes) or rests_on(names, changes)


def page_is_touched(page: str, changes: list[PurePath]) -> bool:
    """Return whether changes can reach what a page of the manual runs."""
    blocks = [block for block in ALL[page] if block.runs]
    if any("checkout" in block.marks for block in blocks) and any(map(matters, changes)):
        return True
    names = {"sciml.cli"}.union(
        *(whole(package_of(word.replace("-", "_"))) for block in blocks for word in NAMED.findall(block.code))
    )
    return page_is_itself(page, changes) or any(FOR_ALL.fullmatch(one.as_posix()) for one in changes) or rests_on(names, changes)


def page_is_itself(page: str, changes: list[PurePath]) -> bool:
    """Return whether a page, or how pages are run, has changed."""
    return any(ROOT / one == PAGES[page] or one.parts[:2] == ("tests", "docs") for one in changes)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--since", metavar="COMMIT", help="leave out slow tests whose code is that of a commit at which they passed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    commit = config.getoption("--since")
    changes = changed(str(commit)) if commit else None
    if changes is None:
        return
    known: dict[tuple[Path, object], bool] = {}

    def stays(item: pytest.Item) -> bool:
        if item.get_closest_marker("slow") is None:
            return True
        page = getattr(item, "callspec", None) and item.callspec.params.get("page")  # pyright: ignore
        path = item.path.relative_to(ROOT)
        if (path, page) not in known:
            known[path, page] = page_is_touched(page, changes) if page in ALL else test_is_touched(path, changes)
        return known[path, page]

    left_out = [item for item in items if not stays(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]
