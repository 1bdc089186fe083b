"""What a job's rule declares, compared at the job's end with what the job loaded and opened.

A workflow repeats a job when its settings, its inputs or its code change. Code is known by a digest over the modules that the
stage reaches (`sciml.runtime.sources`), weights are inputs, data sets stand in the settings by id and SHA-256. All of these are
read from source and settings before anything runs, so they could miss what is reached by another way. The rule hands its
declaration to the command in `SCIML_DECLARED`; a stage that loads a module of the package, opens a file of the package or reads
a data set that is not declared says so, and fails where `SCIML_STRICT` is set. A result that is not what the record beside it
says that its stage wrote fails everywhere.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sciml.runtime.errors import ScimlError
from sciml.runtime.files import canonical_json
from sciml.runtime.places import cache_folder
from sciml.runtime.provenance import check_origin
from sciml.runtime.sources import reached, source_digest, travelling

VARIABLE = "SCIML_DECLARED"
FILES = "SCIML_FILES"
STRICT = "SCIML_STRICT"
PACKAGE = Path(__file__).resolve().parents[1]
RESOURCES = PACKAGE / "resources"
CODE = (".py", ".pyc", ".so")
SHOWN = 5


def declaration(modules: Iterable[str]) -> str:
    """Return what a rule declares of a job's code, as canonical JSON: its modules, and the digest of all that they reach.

    Args:
        modules: dotted names of the stage and of what it loads by name, such as the prior of a plugin.

    Raises:
        ScimlError: there is no such module.
    """
    names = list(modules)
    return canonical_json({"modules": names, "digest": source_digest(*names)})


def in_package(path: Path | str) -> bool:
    """Say whether a file lies in the package, as shipped weights do."""
    return Path(path).resolve().is_relative_to(PACKAGE)


def files_in_package(paths: Iterable[Path | str]) -> str:
    """Return what a rule declares in `SCIML_FILES`: those of its inputs that lie in the package, as paths within the package.

    Paths within it, since a workflow may run from a copy of the tree whose environment holds the package somewhere else.
    """
    inside = sorted(Path(path).resolve().relative_to(PACKAGE).as_posix() for path in paths if in_package(path))
    return os.pathsep.join(inside)


_opened: set[str] | None = None
_made: set[str] = set()
_data: set[str] = set()
_listening = False


def declare_data(values: Mapping[str, Any]) -> None:
    """Take the data sets that the settings of a stage, or of its parts, name with their digests: `ct_cranium`, `digits8[0:9]`."""
    _data.update(entry.partition("[")[0] for entry in values.get("digests") or {})
    for part in values.values():
        if isinstance(part, Mapping):
            declare_data(part)


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _opened is None or event not in ("open", "os.rename"):
        return
    path = arguments[event == "os.rename"]
    if isinstance(path, str | bytes | os.PathLike) and not (name := os.fsdecode(path)).endswith(CODE):
        made = event == "os.rename" or (arguments[2] or 0) & (os.O_WRONLY | os.O_CREAT)
        (_made if made else _opened).add(os.path.join(os.getcwd(), name))  # noqa: PTH109, PTH118 - called for every file


@contextmanager
def compared() -> Iterator[None]:
    """Compare what the body loads and opens with the declaration in the environment; without one nothing is watched.

    Raises:
        DataError: a result that it opened is not what its stage wrote.
        ScimlError: it loaded or opened more, and `SCIML_STRICT` is set; else a line on standard error says so.
    """
    global _opened, _listening
    text = os.environ.get(VARIABLE)
    if not text:
        yield
        return
    modules = json.loads(text)["modules"]
    before = set(sys.modules)
    _opened = set()
    _data.clear()
    _made.clear()
    if not _listening:
        sys.addaudithook(_listen)  # for good: Python has no way to take one off again
        _listening = True
    try:
        yield
        found, _opened = _opened, None
        for path in sorted(found - _made):
            if Path(path).is_file() and not in_package(path):
                check_origin(path)
        more = [*_modules(modules, set(sys.modules) - before), *_files(modules, found - _made)]
    finally:
        _opened = None
    if not more:
        return
    rest = f" and {len(more) - SHOWN} more" if len(more) > SHOWN else ""
    message = (
        f"the rule of this job does not declare {', '.join(more[:SHOWN])}{rest}: "
        "after a change of that the job would not be repeated; name it in the rule"
    )
    if os.environ.get(STRICT):
        raise ScimlError(message)
    print(f"warning: {message}", file=sys.stderr)


def _modules(declared: list[str], loaded: set[str]) -> list[str]:
    """Return the loaded modules of the declared ones' packages, and of this one, that no declared module reaches."""
    known: set[str] = set()
    for name in declared:
        known.update(reached(name))
    roots = {"sciml", *(name.partition(".")[0] for name in declared)}
    return sorted(name for name in loaded - known if name.partition(".")[0] in roots)


def _files(declared: list[str], opened: set[str]) -> list[str]:
    """Return the opened weights and data sets that are neither inputs nor named by the settings."""
    data = cache_folder("data").resolve()
    allowed = {(PACKAGE / path).resolve() for path in os.environ.get(FILES, "").split(os.pathsep) if path}
    for name in declared:
        for module in reached(name):
            allowed.update(path.resolve() for path in travelling(module))
    found = []
    for path in sorted(Path(name).resolve() for name in opened):
        if path.is_relative_to(RESOURCES):  # in a checkout they lie outside the package: known by value, or allowed above
            continue
        if path.is_relative_to(PACKAGE):
            if path.is_file() and path not in allowed:
                found.append(str(path.relative_to(PACKAGE.parent)))
        elif path.is_relative_to(data):
            parts = path.relative_to(data).parts
            if parts and not parts[0].startswith(".") and parts[0] not in _data:
                found.append(f"data set {parts[0]}")
    return list(dict.fromkeys(found))
