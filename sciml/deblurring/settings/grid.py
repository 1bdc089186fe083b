"""The grid of the study by name: an image prior beside a model of the kernel's error, `prior/error` for short.

The error model gives the kernel, the prior the image. `true` in place of an error model is the true kernel: an oracle, for what
the kernel's error costs. Solvers beside the grid take the kernel as given.
"""

from __future__ import annotations

from collections.abc import Sequence

from sciml.runtime.errors import ConfigError

TRUE = "true"
# what is shipped, chosen on validation pairs
DEFAULT = "tv/warp"
GRID = ("none", "warp", "kernel", "both", TRUE)
# least fall of the held-out misfit, as a share, for which a given kernel is given up: three numbers of a warp, and all its pixels
WARP_MARGIN, RIDGE_MARGIN = 0.02, 0.005
# solvers that know nothing of a kernel's error; circular: the boundary as most programs have it, for what that costs
BESIDE = {
    "hyper-laplacian": ("none", TRUE),
    "richardson-lucy": ("none", TRUE),
    "tv-circular": ("none", TRUE),
}


def cells(priors: Sequence[str], chosen: Sequence[str] | None = None) -> list[str]:
    """Return the cells of these priors, or of them those that were chosen.

    Raises:
        ConfigError: a chosen cell does not exist.
    """
    every = [f"{prior}/{error}" for prior in priors for error in BESIDE.get(prior, GRID)]
    if chosen is None:
        return every
    if unknown := [name for name in chosen if name not in every]:
        raise ConfigError(f"there is no cell {unknown[0]!r} in the grid: there are {', '.join(every)}")
    return [name for name in every if name in chosen]


def folder_name(prior: str) -> str:
    """Return a prior's name as a path can hold it: `lpn-photo-deblur` for `lpn:photo-deblur`."""
    return prior.replace(":", "-")


def parted(cell: str) -> tuple[str, str]:
    """Return prior and error model of a cell."""
    prior, _, model = cell.rpartition("/")
    return prior, model
