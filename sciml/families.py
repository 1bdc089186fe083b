"""Which families and studies there are and how to reach their rooms; found by two groups of entry points.

A family (`sciml.families`) is one method, a study (`sciml.studies`) chains or compares several by their public names. Both are
packages with the same rooms, such as `config.py` (a `Config` model), `cli.py` (a typer `app`) and `commands/stages.py`, and
have a block of settings, commands and a page. Packages of others join by declaring the entry point; see `docs/add-a-family.md`.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import Literal

from sciml.runtime.errors import ConfigError

FAMILIES = {
    "imaging": "sciml.classical",
    "proximal": "sciml.proximal",
    "deblurring": "sciml.deblurring",
    "active_fluid": "sciml.active_fluid",
    "compression": "sciml.compression",
    "progression": "sciml.progression",
}
STUDIES = {
    "scan_to_forecast": "sciml.studies.scan_to_forecast",
    "flow_from_images": "sciml.studies.flow_from_images",
    "matrix": "sciml.studies.matrix",
}
BUILT_IN = {**FAMILIES, **STUDIES}
"""Package by the name that users give a family or study in settings and commands."""

Role = Literal["family", "study"]
GROUPS: dict[Role, str] = {"family": "sciml.families", "study": "sciml.studies"}


@lru_cache
def families(role: Role | None = None) -> dict[str, str]:
    """Return package path by name: the built-in ones first, then installed ones in alphabetical order.

    Args:
        role: only these; families, then studies, by default.
    """
    if role is None:
        return families("family") | families("study")
    others = {point.name: point.value for point in sorted(entry_points(group=GROUPS[role])) if point.name not in BUILT_IN}
    return {**(FAMILIES if role == "family" else STUDIES), **others}


def room(family: str, name: str) -> ModuleType:
    """Import a room of a family, for instance `room("imaging", "config")`.

    Raises:
        ConfigError: there is no such family.
    """
    if family not in families():
        raise ConfigError(f"no family is called {family!r}; there are {', '.join(families())}")
    return import_module(f"{families()[family]}.{name}")
