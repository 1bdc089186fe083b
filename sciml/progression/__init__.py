"""Brain latent progression: forecast a brain MRI years ahead. Not for clinical use.

Example:
    from sciml.progression import Cohort

    cohort = Cohort("results/demo/progression/cohort")
    first, *later = cohort.subjects("test")["test-000"]
    x = cohort.image(first)      # float32 (1, 40, 48, 40)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sciml.progression.cohort import Cohort, Visit
    from sciml.progression.grids import GRIDS, Grid
    from sciml.progression.regions import REGIONS

_HOMES = {"GRIDS": "grids", "REGIONS": "regions", "Cohort": "cohort", "Grid": "grids", "Visit": "cohort"}
__all__ = ["GRIDS", "REGIONS", "Cohort", "Grid", "Visit"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
