"""`sciml progression stage`: the stages of the study, as the workflow calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The stages of the study, as the workflow calls them.", no_args_is_help=True)

Settings = Annotated[str, typer.Option("--config", help="Settings of the stage: JSON text or the path of a JSON file.")]
Output = Annotated[Path, typer.Option("--output", help="Output folder.")]
Threads = Annotated[int | None, typer.Option(help="Computing threads.")]
Gpu = Annotated[int, typer.Option(help="Number of cards to claim; 0 computes on the CPU.")]


@app.command("simulate")
def stage_simulate(config: Settings, output: Output, threads: Threads = None) -> None:
    """Simulate a cohort; finished people are kept when it is stopped."""
    from sciml.progression.config import SimulateConfig
    from sciml.stages import parse_config, stage

    with stage("progression.simulate", output, 1):
        settings = parse_config(SimulateConfig, config)
        from sciml.progression.stages.simulate import run

        run(settings, output, threads or 1)


@app.command("report")
def stage_report(
    config: Settings,
    results: Annotated[Path, typer.Option(help="Folder of the study's results.")],
    output: Annotated[Path, typer.Option(help="The page, .html.")],
) -> None:
    """Write the page of the study."""
    from sciml.progression.config import PageConfig
    from sciml.stages import parse_config, stage

    with stage("progression.report", output):
        settings = parse_config(PageConfig, config)
        from sciml.progression.stages.report import run

        run(settings, results, output)
