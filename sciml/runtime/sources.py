"""Digest of the code that a stage runs, so that a workflow repeats exactly the jobs whose code changed.

The modules that a stage reaches by static import are parsed; comments, docstrings and layout do not count. A package's
`__init__` gives only its own code: names that it hands out lazily (under `TYPE_CHECKING`) lead to the module they come from.
Files that travel in a reached package (not in a package below it), such as a page template, count byte for byte, and so does a
file at the root of the tree that a module names by `resource("...")`. What is loaded by a name in a text is not seen here:
nothing does that but plugins, which a rule names besides (`sciml.runtime.declared`).
"""

from __future__ import annotations

import ast
import atexit
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from sciml.runtime.errors import ScimlError
from sciml.runtime.files import digest_bytes, digest_file, write_text
from sciml.runtime.places import cache_folder, resource

RESOURCE = re.compile(r"\bresource\(\"(\w[\w.-]+)\"\)")
MOST_KEPT = 8000
TRAVELLING = (".html", ".css", ".js", ".j2", ".json", ".csv", ".yaml", ".bib")


def source_digest(*modules: str) -> str:
    """Return one SHA-256 over all package modules that `modules` reach by import.

    Args:
        modules: dotted names, for instance `sciml.classical.stages.solve`.

    Raises:
        ScimlError: a module is not found, or one that it reaches is no valid Python.
    """
    lines = []
    for name in sorted(set().union(*map(reached, modules))):
        path = _path(name)
        lines.append(f"{name} {_facts(path).digest}\n")
        lines += [f"{name}:{os.path.relpath(item, path.parent)} {digest_file(item)}\n" for item in travelling(name)]
    return digest_bytes("".join(lines).encode())


def travelling(module: str) -> list[Path]:
    """Return the files that count with a module: those of a package's folder, and those named by `resource("...")`."""
    path = _path(module)
    return [*(_packaged(path.parent) if path.name == "__init__.py" else ()), *_resources(path)]


@cache
def _resources(path: Path) -> tuple[Path, ...]:
    # settings and declared data reach a stage through its own settings, by value and by digest
    return tuple(resource(name) for name in _facts(path).resources)


@cache
def _packaged(package: Path) -> list[Path]:
    """Return the sorted files that travel in a package and in none below it; weights and resources are inputs, not code."""
    found = []
    for folder, below, names in os.walk(package):
        below[:] = [
            name for name in below if name not in ("weights", "resources") and not Path(folder, name, "__init__.py").is_file()
        ]
        found += [Path(folder, name) for name in names if Path(name).suffix in TRAVELLING]
    return sorted(found)


@cache
def reached(module: str) -> list[str]:
    """Return the sorted names of all modules of the same top-level package, or of `sciml`, that `module` imports in the end."""
    if _find(module) is None:
        raise ScimlError(f"no module is called {module}")
    roots = frozenset((module.partition(".")[0], "sciml"))
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        parents = [name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)]
        waiting += [parent for parent in parents if parent not in seen]
        waiting += [target for target in _imports(name, roots) if target.partition(".")[0] in roots and target not in seen]
    return sorted(seen)


@cache
def _imports(name: str, roots: frozenset[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_import_targets(name, roots)))


def _import_targets(name: str, roots: frozenset[str]) -> Iterator[str]:
    """Yield the modules below `roots` that a module imports; other packages are not even looked for."""
    path = _path(name)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for one in filter(lambda one: one.executed, _facts(path).imports):
        if one.level is None:
            yield from (target for target, _ in one.names if target.partition(".")[0] in roots and _find(target))
        elif (base := one.absolute(package)).partition(".")[0] in roots:
            for target, _ in one.names:
                yield from _origin(base, target)


def _origin(base: str, name: str) -> Iterator[str]:
    """Yield the modules that `from base import name` loads: base, a submodule, or the home of a lazy name."""
    if _find(base) is None:
        return
    yield base
    if _find(f"{base}.{name}"):
        yield f"{base}.{name}"
        return
    if _path(base).name == "__init__.py":
        for one in _facts(_path(base)).imports:
            if one.level is not None and any((alias or target) == name for target, alias in one.names):
                target = one.absolute(base)
                if target != base:
                    yield from _origin(target, name)


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk the statements of a tree without the bodies of `if TYPE_CHECKING`; expressions hold no import."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            below: Iterable[ast.AST] = node.orelse
        else:
            below = ast.iter_child_nodes(node)
        waiting += [child for child in below if not isinstance(child, ast.expr)]


@cache
def _find(name: str) -> Path | None:
    """Return a module's file by looking at the search path; nothing is imported."""
    parts = name.split(".")
    top = _find(parts[0]) if len(parts) > 1 else None
    if top is not None and top.name == "__init__.py":  # as in Python, what lies in a package lies in its one folder
        base = top.parent.joinpath(*parts[1:])
        return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)
    for root in sys.path:
        base = Path(root or ".").joinpath(*parts)
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file() and parts[0]:
                return path
    return _beside_this_package(parts)


def _beside_this_package(parts: list[str]) -> Path | None:
    """Find `sciml` itself where an editable install maps it without a search-path entry."""
    base = Path(__file__).resolve().parents[2].joinpath(*parts)
    candidates = (base / "__init__.py", base.with_suffix(".py")) if parts[0] == "sciml" else ()
    return next((path for path in candidates if path.is_file()), None)


def _path(name: str) -> Path:
    path = _find(name)
    if path is None:
        raise ScimlError(f"no module is called {name}")
    return path


@dataclass(frozen=True)
class Import:
    """An import statement: `import names`, or `from module import names` with the number of dots before the module.

    Attributes:
        names: each with what it is called here, None where that is its own name.
        module: of `from`.
        level: number of dots; None for a plain `import`.
        executed: whether it runs, which one under `TYPE_CHECKING` does not.
    """

    names: list[tuple[str, str | None]]
    module: str = ""
    level: int | None = None
    executed: bool = True

    def absolute(self, package: str) -> str:
        """Return the module that names are imported from, in a module of this package."""
        if not self.level:
            return self.module
        parent = package.split(".")[: package.count(".") + 2 - self.level]
        return ".".join([*parent, *([self.module] if self.module else [])])


@dataclass(frozen=True)
class Facts:
    """What a file of code says: SHA-256 of its statements, its imports, and the files that it names by `resource("...")`."""

    digest: str
    imports: list[Import]
    resources: list[str]


# facts by SHA-256 of a file's content, kept from run to run: they are the same for the same content and version of Python
_known: dict[str, dict] | None = None


@cache
def _facts(path: Path) -> Facts:
    content = path.read_bytes()
    key = digest_bytes(content)
    found = _kept().get(key)
    if found is None:
        found = _kept()[key] = asdict(_read_facts(content, path))
        atexit.unregister(_keep)
        atexit.register(_keep)
    return Facts(found["digest"], [Import(**one) for one in found["imports"]], found["resources"])


def _kept_file() -> Path:
    return cache_folder("code") / f"facts-{sys.version_info[0]}.{sys.version_info[1]}.json"


def _kept() -> dict[str, dict]:
    global _known
    if _known is None:
        try:
            _known = dict(json.loads(_kept_file().read_text(encoding="utf-8")))
        except (OSError, TypeError, ValueError, ScimlError):  # none yet, or a damaged one: all is read again
            _known = {}
    return _known


def _keep() -> None:
    if len(_kept()) > MOST_KEPT:
        _kept().clear()
    try:
        write_text(_kept_file(), json.dumps(_kept(), separators=(",", ":")))
    except ScimlError:  # a folder that cannot be written costs time only
        return


def _read_facts(content: bytes, path: Path) -> Facts:
    try:
        tree = _without_docstrings(ast.parse(content, str(path)))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise ScimlError(
            f"{path} is no valid Python{f', line {line}' if line else ''}: {getattr(error, 'msg', error)}"
        ) from error
    executed = set(map(id, _executed(tree)))
    imports = [
        Import(
            [(alias.name, alias.asname) for alias in node.names],
            *((node.module or "", node.level) if isinstance(node, ast.ImportFrom) else ("", None)),
            executed=id(node) in executed,
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    return Facts(digest_bytes(ast.dump(tree).encode()), imports, RESOURCE.findall(content.decode()))


def _without_docstrings(tree: ast.Module) -> ast.Module:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                node.body = node.body[1:]
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]
    return tree
