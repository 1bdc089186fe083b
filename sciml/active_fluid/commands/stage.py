"""`sciml active-fluid stage`: the stages of the study, as the workflow calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The stages of the study, as the workflow calls them.", no_args_is_help=True)

Settings = Annotated[str, typer.Option("--config", help="Settings of the stage: JSON text or the path of a JSON file.")]
Output = Annotated[Path, typer.Option("--output", help="Output folder.")]
Weights = Annotated[Path, typer.Option(help="Weight file of a learned closure.")]
Threads = Annotated[int | None, typer.Option(help="Computing threads.")]
Gpu = Annotated[int, typer.Option(help="Number of cards to claim; 0 computes on the CPU.")]


@app.command("generate")
def stage_generate(config: Settings, output: Output, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Run the kinetic theory at the places of one set."""
    from sciml.active_fluid.config import GenerateConfig
    from sciml.stages import parse_config, stage

    with stage("active_fluid.generate", output, threads, gpu):
        settings = parse_config(GenerateConfig, config)
        from sciml.active_fluid.stages.generate import run

        run(settings, output)


@app.command("train")
def stage_train(
    config: Settings,
    train: Annotated[Path, typer.Option(help="trajectories.safetensors that are learned from.")],
    validation: Annotated[Path, typer.Option(help="trajectories.safetensors that the history is measured on.")],
    output: Output,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Train one closure for all its seeds; a stopped training goes on."""
    from sciml.active_fluid.config import TrainConfig
    from sciml.stages import parse_config, stage

    with stage("active_fluid.train", output, threads, gpu):
        settings = parse_config(TrainConfig, config)
        from sciml.active_fluid.stages.train import run

        run(settings, train, validation, output)


@app.command("evaluate")
def stage_evaluate(
    config: Settings,
    test: Annotated[Path, typer.Option(help="trajectories.safetensors that closures are judged by.")],
    weights: Annotated[list[str], typer.Option(help="NAME=FILE, repeated: a closure's name and the weights of one seed.")],
    output: Output,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Run every closure beside the kinetic theory."""
    from sciml.active_fluid.config import EvaluateConfig
    from sciml.stages import parse_config, stage

    with stage("active_fluid.evaluate", output, threads, gpu):
        settings = parse_config(EvaluateConfig, config)
        from sciml.active_fluid.stages.evaluate import run

        named: dict[str, list[Path]] = {}
        for text in weights:
            name, _, path = text.partition("=")
            named.setdefault(name, []).append(Path(path))
        run(settings, test, named, output)


@app.command("stability")
def stage_stability(config: Settings, weights: Weights, output: Output, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Run for a long time all over the box, and look for inputs whose output no distribution has."""
    from sciml.active_fluid.config import StabilityConfig
    from sciml.stages import parse_config, stage

    with stage("active_fluid.stability", output, threads, gpu):
        settings = parse_config(StabilityConfig, config)
        from sciml.active_fluid.stages.stability import run

        run(settings, weights, output)


@app.command("recover")
def stage_recover(config: Settings, weights: Weights, output: Output, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Infer activity and alignment from noisy snapshots whose truth is known."""
    from sciml.active_fluid.config import RecoverConfig
    from sciml.stages import parse_config, stage

    with stage("active_fluid.recover", output, threads, gpu):
        settings = parse_config(RecoverConfig, config)
        from sciml.active_fluid.stages.recover import run

        run(settings, weights, output)


@app.command("theory")
def stage_theory(config: Settings, weights: Weights, output: Output, threads: Threads = None) -> None:
    """Compare growth rates of the solvers with the dispersion relation."""
    from sciml.active_fluid.config import TheoryConfig
    from sciml.stages import parse_config, stage

    with stage("active_fluid.theory", output, threads):
        settings = parse_config(TheoryConfig, config)
        from sciml.active_fluid.stages.theory import run

        run(settings, weights, output)


@app.command("cost")
def stage_cost(config: Settings, weights: Weights, output: Output, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Measure seconds a step of every model."""
    from sciml.active_fluid.config import CostConfig
    from sciml.stages import parse_config, stage

    with stage("active_fluid.cost", output, threads, gpu):
        settings = parse_config(CostConfig, config)
        from sciml.active_fluid.stages.cost import run

        run(settings, weights, output)


@app.command("publish")
def stage_publish(
    weights: Weights,
    scores: Annotated[Path, typer.Option(help="scores.json of the evaluate stage.")],
    output: Output,
) -> None:
    """Copy a closure into the package, with its model card."""
    from sciml.stages import stage

    with stage("active_fluid.publish", output):
        from sciml.active_fluid.stages.publish import run

        run(weights, scores, output)


@app.command("report")
def stage_report(
    config: Settings,
    results: Annotated[Path, typer.Option(help="Folder of the study's results.")],
    output: Annotated[Path, typer.Option(help="The page, .html.")],
) -> None:
    """Write the page of the study."""
    from sciml.active_fluid.config import PageConfig
    from sciml.stages import parse_config, stage

    with stage("active_fluid.report", output):
        settings = parse_config(PageConfig, config)
        from sciml.active_fluid.stages.report import run

        run(settings, results, output)
