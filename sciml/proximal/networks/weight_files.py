"""Weight files of networks by shipped name or path; nothing here loads torch."""

from __future__ import annotations

from pathlib import Path

from sciml.training.store import ModelStore

STORE = ModelStore("sciml.proximal")


def shipped() -> list[str]:
    """Return the names of the weights that come with the package."""
    return list(STORE.shipped())


def weight_file(name: str | Path) -> Path:
    """Return the path of a shipped name, or of a weight file; raises as `sciml.training.store.ModelStore.find`."""
    return STORE.find(name)
