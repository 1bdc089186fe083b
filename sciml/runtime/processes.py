"""Which of several processes of one job this is, as `torchrun` says it in the environment; alone without it."""

from __future__ import annotations

import os


def count() -> int:
    """Return how many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return the number of this one, from 0; the first alone writes results."""
    return int(os.environ.get("RANK", "0"))
