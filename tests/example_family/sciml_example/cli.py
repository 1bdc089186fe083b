"""`sciml example`: the stages of the example family."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="An example family: a linear filter, learned against noise.", no_args_is_help=True)
stage_app = typer.Typer(help="The stages of the study, as the workflow calls them.", no_args_is_help=True)
app.add_typer(stage_app, name="stage")

Settings = Annotated[str, typer.Option("--config", help="Settings of the stage: JSON text or the path of a JSON file.")]
Output = Annotated[Path, typer.Option("--output", help="Output folder.")]
Threads = Annotated[int | None, typer.Option(help="Computing threads.")]
Gpu = Annotated[int, typer.Option(help="Number of cards to claim; 0 computes on the CPU.")]


@stage_app.command("train")
def stage_train(config: Settings, output: Output, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Learn the filter; a stopped run goes on."""
    from sciml.stages import parse_config, stage
    from sciml_example.config import TrainConfig

    with stage("example.train", output, threads, gpu) as device:
        settings = parse_config(TrainConfig, config)
        from sciml_example.stages.train import run

        run(settings, output, device)


@stage_app.command("evaluate")
def stage_evaluate(
    config: Settings,
    weights: Annotated[Path, typer.Option(help="filter.safetensors of the train stage.")],
    output: Output,
    threads: Threads = None,
) -> None:
    """Score the filter on test pictures."""
    from sciml.stages import parse_config, stage
    from sciml_example.config import EvaluateConfig

    with stage("example.evaluate", output, threads):
        settings = parse_config(EvaluateConfig, config)
        from sciml_example.stages.evaluate import run

        run(settings, weights, output)


@stage_app.command("report")
def stage_report(
    config: Settings,
    results: Annotated[Path, typer.Option(help="Results folder of the family.")],
    output: Annotated[Path, typer.Option("--output", help="Page to write.")],
) -> None:
    """Write the page."""
    from sciml.stages import parse_config, stage
    from sciml_example.config import ReportConfig

    with stage("example.report", output):
        settings = parse_config(ReportConfig, config)
        from sciml_example.stages.report import run

        run(settings, results, output)
