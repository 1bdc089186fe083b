"""`sciml compression stage`: the stages of the study, as the workflow calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The stages of the study, as the workflow calls them.", no_args_is_help=True)

Settings = Annotated[str, typer.Option("--config", help="Settings of the stage: JSON text or the path of a JSON file.")]
Output = Annotated[Path, typer.Option("--output", help="Output folder.")]
Weights = Annotated[Path, typer.Option(help="Model file.")]
Threads = Annotated[int | None, typer.Option(help="Computing threads.")]
Gpu = Annotated[int, typer.Option(help="Number of cards to claim; 0 computes on the CPU.")]
Runs = Annotated[
    Path | None, typer.Option(help="Folder of simulated runs, one subfolder a role; for domains whose fields come from them.")
]


@app.command("fit")
def stage_fit(config: Settings, output: Output, runs: Runs = None, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Fit transform, rules and tables of one domain; finished steps are kept when it is stopped."""
    from sciml.compression.config import FitConfig
    from sciml.stages import parse_config, stage

    with stage("compression.fit", output, threads, gpu):
        settings = parse_config(FitConfig, config)
        from sciml.compression.stages.fit import run

        run(settings, output, runs)


@app.command("train")
def stage_train(
    config: Settings,
    base: Annotated[Path, typer.Option(help="Model file of the fit.")],
    output: Output,
    runs: Runs = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Train the network behind the decoder; a stopped training goes on."""
    from sciml.compression.config import TrainConfig
    from sciml.stages import parse_config, stage

    with stage("compression.train", output, threads, gpu) as device:
        settings = parse_config(TrainConfig, config)
        from sciml.compression.stages.train import run

        run(settings, base, output, device, runs)


@app.command("train-neural")
def stage_train_neural(config: Settings, output: Output, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Train a neural model end to end; a stopped training goes on."""
    from sciml.compression.config import TrainNeuralConfig
    from sciml.stages import parse_config, stage

    with stage("compression.train_neural", output, threads, gpu) as device:
        settings = parse_config(TrainNeuralConfig, config)
        from sciml.compression.stages.train_neural import run

        run(settings, output, device)


@app.command("evaluate")
def stage_evaluate(
    config: Settings,
    weights: Weights,
    output: Output,
    neural: Annotated[list[Path] | None, typer.Option(help="Neural model to compare too.")] = None,
    runs: Runs = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Compare a model with the classical codecs on test pictures."""
    from sciml.compression.config import EvaluateConfig
    from sciml.stages import parse_config, stage

    with stage("compression.evaluate", output, 1, gpu):
        settings = parse_config(EvaluateConfig, config)
        from sciml.compression.stages.evaluate import run

        run(settings, weights, output, threads or 1, neural or (), runs)


@app.command("apart")
def stage_apart(
    config: Settings,
    weights: Weights,
    photo: Annotated[Path, typer.Option(help="Model file of photographs, which is shown beside.")],
    output: Output,
    runs: Runs = None,
    threads: Threads = None,
) -> None:
    """Show slices or fields at equal bytes beside JPEG 2000 and the photo model; spectra of fields; equal pixels in processes."""
    from sciml.compression.config import ApartConfig
    from sciml.stages import parse_config, stage

    with stage("compression.apart", output, threads):
        settings = parse_config(ApartConfig, config)
        from sciml.compression.stages.apart import run

        run(settings, weights, photo, output, runs)


@app.command("inspect")
def stage_inspect(config: Settings, weights: Weights, output: Output, threads: Threads = None) -> None:
    """Count where the bits of a model go, show its pictures at equal bytes, check its files."""
    from sciml.compression.config import InspectConfig
    from sciml.stages import parse_config, stage

    with stage("compression.inspect", output, threads):
        settings = parse_config(InspectConfig, config)
        from sciml.compression.stages.inspect import run

        run(settings, weights, output)


@app.command("ablate")
def stage_ablate(config: Settings, weights: Weights, output: Output, threads: Threads = None) -> None:
    """Measure what each part of the codec is worth, on validation pictures; fitted variants are kept when it is stopped."""
    from sciml.compression.config import AblateConfig
    from sciml.stages import parse_config, stage

    with stage("compression.ablate", output, threads):
        settings = parse_config(AblateConfig, config)
        from sciml.compression.stages.ablate import run

        run(settings, weights, output)


@app.command("ablate-report")
def stage_ablate_report(
    config: Settings,
    table: Annotated[Path, typer.Option(help="ablations.json of the ablate stage, with its provenance.json beside it.")],
    output: Annotated[Path, typer.Option(help="The page, .html.")],
) -> None:
    """Write the page of the codec's parts."""
    from sciml.compression.config import PageConfig
    from sciml.stages import parse_config, stage

    with stage("compression.ablate-report", output):
        settings = parse_config(PageConfig, config)
        from sciml.compression.stages.ablate_report import run

        run(settings, table, output)


@app.command("fit-vectors")
def stage_fit_vectors(
    config: Settings,
    base: Annotated[Path, typer.Option(help="Model file of the fit.")],
    output: Output,
    threads: Threads = None,
) -> None:
    """Fit groups of vectors behind the first planes of a scalar model; finished steps are kept when it is stopped."""
    from sciml.compression.settings.vectors import FitVectorsConfig
    from sciml.stages import parse_config, stage

    with stage("compression.fit_vectors", output, threads):
        settings = parse_config(FitVectorsConfig, config)
        from sciml.compression.stages.fit_vectors import run

        run(settings, base, output)


@app.command("compare-vectors")
def stage_compare_vectors(
    config: Settings,
    base: Annotated[Path, typer.Option(help="The scalar model.")],
    weights: Annotated[list[Path], typer.Option(help="Model with vectors behind planes of this one; may be repeated.")],
    output: Output,
    threads: Threads = None,
) -> None:
    """Compare models with vectors with the scalar one at equal rates, on validation pictures."""
    from sciml.compression.settings.vectors import CompareVectorsConfig
    from sciml.stages import parse_config, stage

    with stage("compression.compare_vectors", output, threads):
        settings = parse_config(CompareVectorsConfig, config)
        from sciml.compression.stages.compare_vectors import run

        run(settings, base, weights, output)


@app.command("report")
def stage_report(
    config: Settings,
    results: Annotated[Path, typer.Option(help="Folder of the study's results.")],
    output: Annotated[Path, typer.Option(help="The page, .html.")],
) -> None:
    """Write the page of the study."""
    from sciml.compression.config import PageConfig
    from sciml.stages import parse_config, stage

    with stage("compression.report", output):
        settings = parse_config(PageConfig, config)
        from sciml.compression.stages.report import run

        run(settings, results, output)


@app.command("publish")
def stage_publish(
    weights: Weights,
    bench: Annotated[Path, typer.Option(help="bench.json of the evaluation.")],
    output: Output,
) -> None:
    """Copy a model into the package, with its card."""
    from sciml.stages import stage

    with stage("compression.publish", output, 1, 0):
        from sciml.compression.stages.publish import run

        run(weights, bench, output)
