"""Closures of a user's own, found by name without loading any: entry points of the group `sciml.closures`."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from sciml.runtime.errors import ConfigError

GROUP = "sciml.closures"


def find_closure(name: str) -> EntryPoint:
    """Return the entry point of a closure.

    Raises:
        ConfigError: no installed package offers that name; the message lists the known ones.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        raise ConfigError(f"no installed package offers the closure {name!r}; there are {', '.join(sorted(found)) or 'none'}")
    return found[name]


def closure_modules(names: Iterable[str]) -> list[str]:
    """Return the modules that make the closures of these names; an empty name has none."""
    return sorted({find_closure(name).module for name in names if name})
