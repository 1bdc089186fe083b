"""Settings of the family and of its stages."""

from __future__ import annotations

from sciml.runtime.settings import StageConfig


class Config(StageConfig):
    """Active suspensions: a kinetic theory, its coarse model, and closures."""
