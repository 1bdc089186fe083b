"""Which families there are and how to reach their rooms; found by the entry-point group `sciml.families`.

A family is a package with `config.py` (a `Config` model) and `cli.py` (a typer `app`). Packages of others join by declaring
the entry point; see `docs/add-a-family.md`.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType

from sciml.runtime.errors import ConfigError

BUILT_IN = {
    "imaging": "sciml.classical",
    "proximal": "sciml.proximal",
    "deblurring": "sciml.deblurring",
    "active_fluid": "sciml.active_fluid",
    "compression": "sciml.compression",
    "progression": "sciml.progression",
}
"""Package by the name that users give a family in settings and commands."""


@lru_cache
def families() -> dict[str, str]:
    """Return package path by family name: the built-in ones first, then installed ones in alphabetical order."""
    others = {point.name: point.value for point in sorted(entry_points(group="sciml.families"))}
    return {**BUILT_IN, **{name: package for name, package in others.items() if name not in BUILT_IN}}


def room(family: str, name: str) -> ModuleType:
    """Import a room of a family, for instance `room("imaging", "config")`.

    Raises:
        ConfigError: there is no such family.
    """
    if family not in families():
        raise ConfigError(f"no family is called {family!r}; there are {', '.join(families())}")
    return import_module(f"{families()[family]}.{name}")
