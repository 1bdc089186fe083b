"""`sciml deblurring stage`: the stages of the study, as the workflow calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The stages of the study, as the workflow calls them.", no_args_is_help=True)

Settings = Annotated[str, typer.Option("--config", help="Settings of the stage: JSON text or the path of a JSON file.")]
Output = Annotated[Path, typer.Option("--output", help="Output folder.")]
Pairs = Annotated[Path, typer.Option(help="pairs.safetensors of the simulate stage.")]
Photograph = Annotated[str, typer.Option(help="Id of the photograph whose pairs are meant.")]
Kernels = Annotated[list[Path], typer.Option(help="kernels.safetensors of the correct stage; repeated, one a photograph.")]
Threads = Annotated[int | None, typer.Option(help="Computing threads.")]
Gpu = Annotated[int, typer.Option(help="Number of cards to claim; 0 computes on the CPU.")]


@app.command("simulate")
def stage_simulate(config: Settings, output: Output, threads: Threads = None) -> None:
    """Blur photographs and make wrong kernels for them."""
    from sciml.deblurring.config import SimulateConfig
    from sciml.stages import parse_config, stage

    with stage("deblurring.simulate", output, threads):
        settings = parse_config(SimulateConfig, config)
        from sciml.deblurring.stages.simulate import run

        run(settings, output)


# --- further stages of the study: one thin command each, in the order of the workflow ---


@app.command("correct")
def stage_correct(
    config: Settings, pairs: Pairs, photograph: Photograph, output: Output, threads: Threads = None, gpu: Gpu = 0
) -> None:
    """Correct the given kernels of one photograph under every error model."""
    from sciml.deblurring.config import CorrectConfig
    from sciml.stages import parse_config, stage

    with stage("deblurring.correct", output, threads, gpu) as device:
        settings = parse_config(CorrectConfig, config)
        from sciml.deblurring.stages.correct import run

        run(settings, pairs, photograph, output, device)


@app.command("tune")
def stage_tune(config: Settings, pairs: Pairs, kernels: Kernels, output: Output, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Choose the weights of one prior on validation pairs."""
    from sciml.deblurring.config import TuneConfig
    from sciml.stages import parse_config, stage

    with stage("deblurring.tune", output, threads, gpu) as device:
        settings = parse_config(TuneConfig, config)
        from sciml.deblurring.stages.tune import run

        run(settings, pairs, kernels, output, device)


@app.command("restore")
def stage_restore(
    config: Settings,
    pairs: Pairs,
    photograph: Photograph,
    kernels: Annotated[Path, typer.Option(help="kernels.safetensors of the correct stage.")],
    weights: Annotated[list[str], typer.Option(help="PRIOR=weights.json of the tune stage; repeated.")],
    output: Output,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Restore the pairs of one photograph in every cell of the grid."""
    from sciml.deblurring.config import RestoreConfig
    from sciml.stages import parse_config, stage

    with stage("deblurring.restore", output, threads, gpu) as device:
        settings = parse_config(RestoreConfig, config)
        from sciml.deblurring.stages.restore import run

        paths = {prior: Path(path) for prior, _, path in (one.partition("=") for one in weights)}
        run(settings, pairs, photograph, kernels, paths, output, device)


@app.command("evaluate")
def stage_evaluate(
    config: Settings,
    pairs: Pairs,
    restored: Annotated[list[Path], typer.Option(help="restored.safetensors of the restore stage; one a photograph.")],
    kernels: Kernels,
    output: Output,
    threads: Threads = None,
) -> None:
    """Score pictures, kernels and residuals of one set."""
    from sciml.deblurring.config import EvaluateConfig
    from sciml.stages import parse_config, stage

    with stage("deblurring.evaluate", output, threads):
        settings = parse_config(EvaluateConfig, config)
        from sciml.deblurring.stages.evaluate import run

        run(settings, pairs, restored, kernels, output)


@app.command("spread")
def stage_spread(
    config: Settings,
    pairs: Pairs,
    photograph: Photograph,
    kernels: Annotated[Path, typer.Option(help="kernels.safetensors of the correct stage.")],
    weights: Annotated[Path, typer.Option(help="weights.json of the tune stage for total variation.")],
    output: Output,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Map how far the pictures of one photograph depend on the kernel's stated error."""
    from sciml.deblurring.config import SpreadConfig
    from sciml.stages import parse_config, stage

    with stage("deblurring.spread", output, threads, gpu) as device:
        settings = parse_config(SpreadConfig, config)
        from sciml.deblurring.stages.spread import run

        run(settings, pairs, photograph, kernels, weights, output, device)


@app.command("calibrate")
def stage_calibrate(
    config: Settings,
    validation: Annotated[Path, typer.Option(help="pairs.safetensors of the set that the factor is fitted on.")],
    validation_restored: Annotated[list[Path], typer.Option(help="Its restored.safetensors, one a photograph.")],
    validation_spreads: Annotated[list[Path], typer.Option(help="Its spreads.safetensors, in the same order.")],
    pairs: Pairs,
    restored: Annotated[list[Path], typer.Option(help="restored.safetensors of the test set, one a photograph.")],
    spreads: Annotated[list[Path], typer.Option(help="Its spreads.safetensors, in the same order.")],
    output: Output,
    threads: Threads = None,
) -> None:
    """Fit one factor for maps of spreads on validation pairs and judge it on test pairs."""
    from sciml.deblurring.config import CalibrateConfig
    from sciml.stages import parse_config, stage

    with stage("deblurring.calibrate", output, threads):
        settings = parse_config(CalibrateConfig, config)
        from sciml.deblurring.stages.calibrate import run

        run(settings, (validation, validation_restored, validation_spreads), (pairs, restored, spreads), output)


@app.command("dip")
def stage_dip(
    config: Settings,
    pairs: Pairs,
    photograph: Photograph,
    kernels: Annotated[Path, typer.Option(help="kernels.safetensors of the correct stage.")],
    weights: Annotated[Path, typer.Option(help="weights.json of the tune stage for total variation.")],
    output: Output,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Fit untrained networks to pairs of one photograph, with several seeds."""
    from sciml.deblurring.settings.structures import DipStudyConfig
    from sciml.stages import parse_config, stage

    with stage("deblurring.dip", output, threads, gpu) as device:
        settings = parse_config(DipStudyConfig, config)
        from sciml.deblurring.stages.dip import run

        run(settings, pairs, photograph, kernels, weights, output, device)


@app.command("ablate-report")
def stage_ablate_report(
    config: Settings,
    results: Annotated[Path, typer.Option(help="Folder of the ablations, one folder a photograph.")],
    output: Annotated[Path, typer.Option(help="The page, .html.")],
) -> None:
    """Write the page of the ablations."""
    from sciml.deblurring.config import PageConfig
    from sciml.stages import parse_config, stage

    with stage("deblurring.ablate-report", output):
        settings = parse_config(PageConfig, config)
        from sciml.deblurring.stages.ablate_report import run

        run(settings, results, output)


@app.command("photo")
def stage_photo(config: Settings, output: Output, threads: Threads = None, gpu: Gpu = 0) -> None:
    """Sharpen a real photograph whose blur nobody knows."""
    from sciml.deblurring.config import PhotoConfig
    from sciml.stages import parse_config, stage

    with stage("deblurring.photo", output, threads, gpu) as device:
        settings = parse_config(PhotoConfig, config)
        from sciml.deblurring.stages.photo import run

        run(settings, output, device)


@app.command("report")
def stage_report(
    config: Settings,
    results: Annotated[Path, typer.Option(help="Results folder of the study.")],
    output: Annotated[Path, typer.Option(help="The page, .html.")],
) -> None:
    """Write the page of the study."""
    from sciml.deblurring.config import PageConfig
    from sciml.stages import parse_config, stage

    with stage("deblurring.report", output):
        settings = parse_config(PageConfig, config)
        from sciml.deblurring.stages.report import run

        run(settings, results, output)
