"""The imports of the package as a graph, read once from the source."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sciml
from sciml.families import STUDIES

ROOT = Path(sciml.__file__).parent


@dataclass(frozen=True)
class Imports:
    """What one module imports.

    Attributes:
        own: modules of this package, also inside functions; not those for type checkers alone.
        early: those of `own` that are imported with the module.
        foreign: other top-level packages, also inside functions.
        early_foreign: those of `foreign` that are imported with the module.
    """

    own: frozenset[str]
    early: frozenset[str]
    foreign: frozenset[str]
    early_foreign: frozenset[str]


def place(name: str) -> tuple[str, ...]:
    """Return a module's package below `sciml` and its room, as far as it has them: ("proximal", "networks").

    A study is a package of its own: ("studies.scan_to_forecast", "page").
    """
    parts = name.split(".")[1:]
    deep = 2 if f"sciml.{'.'.join(parts[:2])}" in STUDIES.values() else 1
    return (".".join(parts[:deep]), *parts[deep : deep + 1]) if parts else ()


@cache
def modules() -> dict[str, Path]:
    """Return the file of every module by dotted name; a package stands for its `__init__`."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        if "resources" not in parts:
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def graph() -> dict[str, Imports]:
    """Return what every module imports."""
    return {name: _imports(name) for name in modules()}


def _imports(name: str) -> Imports:
    known = modules()
    package = name if known[name].name == "__init__.py" else name.rpartition(".")[0]
    own, early, foreign, early_foreign = set(), set(), set(), set()
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(known[name].read_text(encoding="utf-8")), True)]
    while waiting:
        parent, first = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                waiting += [(other, first) for other in node.orelse]
                continue
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            waiting.append((node, first and not inside))
            for target in _targets(node, package):
                if found := homes(target):
                    own |= found - {name}
                    early |= found - {name} if first else set()
                elif target.partition(".")[0] != "sciml":
                    foreign.add(target.partition(".")[0])
                    early_foreign |= {target.partition(".")[0]} if first else set()
    return Imports(frozenset(own), frozenset(early), frozenset(foreign), frozenset(early_foreign))


def homes(target: str) -> set[str]:
    """Return the modules that importing a name loads: itself, or its package and the module that this hands it out from."""
    base, _, last = target.rpartition(".")
    if target not in modules() and base not in modules():
        return set()
    return {target if target in modules() else base} | (
        {handed_out(base)[last]} & set(modules()) if last in handed_out(base) else set()
    )


@cache
def handed_out(package: str) -> dict[str, str]:
    """Return the module of every name that a package hands out lazily: what stands under `TYPE_CHECKING` in its `__init__`."""
    path = modules().get(package)
    if path is None or path.name != "__init__.py":
        return {}
    found = {}
    for block in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test):
            for node in block.body:
                if isinstance(node, ast.ImportFrom) and node.module in modules():
                    found |= {alias.asname or alias.name: str(node.module) for alias in node.names}
    return found


def targets(name: str) -> Iterable[str]:
    """Yield whatever a module imports, wherever and for whom, by full names: `sciml.imaging.psnr`."""
    package = name if modules()[name].name == "__init__.py" else name.rpartition(".")[0]
    return targets_of(ast.parse(modules()[name].read_text(encoding="utf-8")), package)


def targets_of(tree: ast.AST, package: str = "") -> Iterable[str]:
    """Yield whatever a module of a package imports, by full names."""
    for node in ast.walk(tree):
        yield from _targets(node, package)


def _targets(node: ast.AST, package: str) -> Iterable[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    return [f"{base}.{alias.name}" for alias in node.names]


def reached(name: str, early: bool = False) -> set[str]:
    """Return what a module imports in the end, with the packages above; only what is loaded with it where `early`."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        if (one := waiting.pop()) not in seen:
            seen.add(one)
            parts = one.split(".")
            waiting += [*(graph()[one].early if early else graph()[one].own)]
            waiting += [".".join(parts[:length]) for length in range(1, len(parts))]
    return seen


def circles(edges: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Return the sets of nodes that reach one another (Tarjan's strongly connected components of more than one node)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in edges.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            ring = [stack.pop()]
            while ring[-1] != node:
                ring.append(stack.pop())
            if len(ring) > 1:
                found.append(sorted(ring))

    for node in edges:
        if node not in index:
            visit(node)
    return found
