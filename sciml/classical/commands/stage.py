"""`sciml imaging stage`: the stages of the study, as the workflow calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

stage_app = typer.Typer(help="The stages of the study, as the workflow calls them.", no_args_is_help=True)

Threads = Annotated[int | None, typer.Option(help="Computing threads.")]
Gpu = Annotated[int, typer.Option(help="Number of cards to claim; 0 computes on the CPU.")]
Settings = Annotated[str, typer.Option("--config", help="Settings of the stage: JSON text or the path of a JSON file.")]
Output = Annotated[Path, typer.Option("--output", help="Output folder.")]
Measurements = Annotated[Path, typer.Option(help="measurements.safetensors of the measure stage.")]


@stage_app.command("check")
def stage_check(config: Settings, output: Output, threads: Threads = None) -> None:
    """Check every operator (adjoint, linearity, norm) and the filtered back-projection."""
    from sciml.classical.config import CheckConfig
    from sciml.stages import parse_config, stage

    with stage("imaging.check", output, threads):
        settings = parse_config(CheckConfig, config)
        from sciml.classical.stages.check import run

        run(settings, output)


@stage_app.command("measure")
def stage_measure(config: Settings, output: Output, threads: Threads = None) -> None:
    """Measure the real pictures of one task."""
    from sciml.imaging.tasks.studies import MeasureConfig
    from sciml.stages import parse_config, stage

    with stage("imaging.measure", output, threads):
        settings = parse_config(MeasureConfig, config)
        from sciml.classical.stages.measure import run

        run(settings, output)


@stage_app.command("tune")
def stage_tune(config: Settings, measurements: Measurements, output: Output, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Find the parameter of every method on validation data."""
    from sciml.imaging.tasks.studies import TuneConfig
    from sciml.stages import parse_config, stage

    with stage("imaging.tune", output, threads, gpu) as device:
        settings = parse_config(TuneConfig, config)
        from sciml.classical.stages.tune import run

        run(settings, measurements, output, device)


@stage_app.command("solve")
def stage_solve(
    config: Settings,
    measurements: Measurements,
    parameters: Annotated[Path, typer.Option(help="parameters.json of the tune stage.")],
    output: Output,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Reconstruct the test data of one task with every method."""
    from sciml.imaging.tasks.studies import SolveConfig
    from sciml.stages import parse_config, stage

    with stage("imaging.solve", output, threads, gpu) as device:
        settings = parse_config(SolveConfig, config)
        from sciml.classical.stages.solve import run

        run(settings, measurements, parameters, output, device)


@stage_app.command("evaluate")
def stage_evaluate(
    config: Settings,
    measurements: Measurements,
    reconstructions: Annotated[Path, typer.Option(help="reconstructions.safetensors of the solve stage.")],
    output: Output,
    threads: Threads = None,
) -> None:
    """Compute PSNR and SSIM of every reconstruction."""
    from sciml.classical.config import EvaluateConfig
    from sciml.stages import parse_config, stage

    with stage("imaging.evaluate", output, threads):
        settings = parse_config(EvaluateConfig, config)
        from sciml.classical.stages.evaluate import run

        run(settings, measurements, reconstructions, output)


@stage_app.command("report")
def stage_report(
    config: Settings,
    results: Annotated[Path, typer.Option(help="Results folder of the study.")],
    output: Annotated[Path, typer.Option("--output", help="Page to write.")],
) -> None:
    """Write the page of the study."""
    from sciml.classical.config import ReportConfig
    from sciml.stages import parse_config, stage

    with stage("imaging.report", output):
        settings = parse_config(ReportConfig, config)
        from sciml.classical.stages.report import run

        run(settings, results, output)
