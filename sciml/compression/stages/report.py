"""Stage `report`: the page of the study from its artefacts."""

from __future__ import annotations

from pathlib import Path

from sciml.compression.page.page import study_page
from sciml.compression.settings.stages import PageConfig
from sciml.report.page import write_page


def run(config: PageConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: tier and domains of the study.
        results: its results folder.
        output: the page, `.html`.

    Raises:
        DataError: no codec has been compared.
        ScimlError: the page is over its budget.
    """
    return [write_page(study_page(config, results), output)]
