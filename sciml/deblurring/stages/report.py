"""Stage `report`: the page of the study from its artefacts."""

from __future__ import annotations

from pathlib import Path

from sciml.deblurring.config import PageConfig


def run(config: PageConfig, results: Path, output: Path) -> list[Path]:
    """Write the page."""
    raise NotImplementedError
