"""`sciml proximal stage`: the stages of the study, as the workflow calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The stages of the study, as the workflow calls them.", no_args_is_help=True)

Settings = Annotated[str, typer.Option("--config", help="Settings of the stage: JSON text or the path of a JSON file.")]
Output = Annotated[Path, typer.Option("--output", help="Output folder.")]
Threads = Annotated[int | None, typer.Option(help="Computing threads.")]
Gpu = Annotated[int, typer.Option(help="Number of cards to claim; 0 computes on the CPU.")]
Measurements = Annotated[Path, typer.Option(help="measurements.safetensors of `sciml imaging stage measure`.")]
Weights = Annotated[list[Path], typer.Option(help="Weight file of a network; repeated, in the order of the settings.")]


@app.command("train")
def stage_train(
    config: Settings,
    output: Output,
    start: Annotated[
        Path | None, typer.Option(help="Weight file that the network goes on from, where its settings name one.")
    ] = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Learn one network; a stopped run goes on."""
    from sciml.proximal.settings.models import TrainConfig
    from sciml.stages import parse_config, stage

    with stage("proximal.train", output, threads, gpu) as device:
        settings = parse_config(TrainConfig, config)
        from sciml.proximal.stages.train import run

        run(settings, output, start, device)


# --- further stages of the study: one thin command each, in the order of the workflow ---


@app.command("restore")
def stage_restore(
    config: Settings, measurements: Measurements, weights: Weights, output: Output, threads: Threads = None, gpu: Gpu = 0
) -> None:
    """Reconstruct the test data of one task with learned networks."""
    from sciml.proximal.config import RestoreConfig
    from sciml.stages import parse_config, stage

    with stage("proximal.restore", output, threads, gpu) as device:
        settings = parse_config(RestoreConfig, config)
        from sciml.proximal.stages.restore import run

        run(settings, measurements, weights, output, device)


@app.command("evaluate")
def stage_evaluate(
    config: Settings,
    measurements: Measurements,
    classical: Annotated[Path, typer.Option(help="reconstructions.safetensors of the classical methods.")],
    learned: Annotated[Path, typer.Option(help="reconstructions.safetensors of the restore stage.")],
    output: Output,
    threads: Threads = None,
) -> None:
    """Compute PSNR and SSIM of learned and classical reconstructions."""
    from sciml.proximal.config import ScoreConfig
    from sciml.stages import parse_config, stage

    with stage("proximal.evaluate", output, threads):
        settings = parse_config(ScoreConfig, config)
        from sciml.proximal.stages.evaluate import run

        run(settings, measurements, classical, learned, output)


@app.command("certify")
def stage_certify(config: Settings, weights: Weights, output: Output, threads: Threads = None) -> None:
    """Check the invariants of every network."""
    from sciml.proximal.config import CertifyConfig
    from sciml.stages import parse_config, stage

    with stage("proximal.certify", output, threads):
        settings = parse_config(CertifyConfig, config)
        from sciml.proximal.stages.certify import run

        run(settings, weights, output)


@app.command("toy")
def stage_toy(config: Settings, output: Output, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Learn analytic priors in one and two dimensions and compare with quadrature."""
    from sciml.proximal.config import ToyConfig
    from sciml.stages import parse_config, stage

    with stage("proximal.toy", output, threads, gpu) as device:
        settings = parse_config(ToyConfig, config)
        from sciml.proximal.stages.toy import run

        run(settings, output, device)


@app.command("digits")
def stage_digits(config: Settings, output: Output, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Learn a prior of handwritten digits and follow it along noise, blur and mixing."""
    from sciml.proximal.config import DigitsConfig
    from sciml.stages import parse_config, stage

    with stage("proximal.digits", output, threads, gpu) as device:
        settings = parse_config(DigitsConfig, config)
        from sciml.proximal.stages.digits import run

        run(settings, output, device)


@app.command("prior")
def stage_prior(
    config: Settings,
    photo: Annotated[Path, typer.Option(help="Weight file of the network for photographs.")],
    ct: Annotated[Path, typer.Option(help="Weight file of the network for CT.")],
    output: Output,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Study trained priors: R on test pictures, detection, posterior covariance, a wrong noise level."""
    from sciml.proximal.config import PriorConfig
    from sciml.stages import parse_config, stage

    with stage("proximal.prior", output, threads, gpu) as device:
        settings = parse_config(PriorConfig, config)
        from sciml.proximal.stages.prior import run

        run(settings, output, photo, ct, device)


@app.command("colour")
def stage_colour(
    config: Settings,
    colour: Annotated[Path, typer.Option(help="Weight file of the network for colour photographs.")],
    grey: Annotated[Path, typer.Option(help="Weight file of the network for grey ones, which takes each channel alone.")],
    output: Output,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Denoise test photographs in colour, beside a grey network on each channel and tuned classical methods."""
    from sciml.proximal.config import ColourConfig
    from sciml.stages import parse_config, stage

    with stage("proximal.colour", output, threads, gpu) as device:
        settings = parse_config(ColourConfig, config)
        from sciml.proximal.stages.colour import run

        run(settings, output, colour, grey, device)


@app.command("report")
def stage_report(
    config: Settings,
    results: Annotated[Path, typer.Option(help="Results folder of the study.")],
    output: Annotated[Path, typer.Option("--output", help="Page to write.")],
) -> None:
    """Write the page of the study."""
    from sciml.proximal.config import PageConfig
    from sciml.stages import parse_config, stage

    with stage("proximal.report", output):
        settings = parse_config(PageConfig, config)
        from sciml.proximal.stages.report import run

        run(settings, results, output)


@app.command("ablate")
def stage_ablate(config: Settings, weights: Weights, output: Output, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Compare networks of other designs on validation data and print the table."""
    from sciml.proximal.config import AblateConfig
    from sciml.stages import parse_config, stage

    with stage("proximal.ablate", output, threads, gpu) as device:
        settings = parse_config(AblateConfig, config)
        from sciml.proximal.stages.ablate import run

        _, table = run(settings, weights, output, device)
    typer.echo(table.read_text(), nl=False)


@app.command("ablate-report")
def stage_ablate_report(
    config: Settings,
    table: Annotated[Path, typer.Option(help="ablations.json of the ablate stage, with its provenance.json beside it.")],
    output: Annotated[Path, typer.Option("--output", help="Page to write.")],
) -> None:
    """Write the page of the comparison of design choices."""
    from sciml.proximal.config import PageConfig
    from sciml.stages import parse_config, stage

    with stage("proximal.ablate-report", output):
        settings = parse_config(PageConfig, config)
        from sciml.proximal.stages.ablate_report import run

        run(settings, table, output)


@app.command("publish")
def stage_publish(weights: Weights, output: Output) -> None:
    """Copy finished networks into the package, each with its model card."""
    from sciml.stages import stage

    with stage("proximal.publish", output):
        from sciml.proximal.stages.publish import run

        run(weights, output)
