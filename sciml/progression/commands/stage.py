"""`sciml progression stage`: the stages of the study, as the workflow calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The stages of the study, as the workflow calls them.", no_args_is_help=True)

Settings = Annotated[str, typer.Option("--config", help="Settings of the stage: JSON text or the path of a JSON file.")]
Output = Annotated[Path, typer.Option("--output", help="Output folder.")]
CohortFolder = Annotated[Path, typer.Option("--cohort", help="Folder of the cohort.")]
CalibrationFolder = Annotated[Path, typer.Option("--calibration", help="Folder of the calibration cohort.")]
AutoencoderFile = Annotated[Path, typer.Option("--autoencoder", help="Weights of train-autoencoder.")]
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


@app.command("ablate-report")
def stage_ablate_report(
    config: Settings,
    results: Annotated[Path, typer.Option(help="Folder of the study's results, with the ablations.")],
    output: Annotated[Path, typer.Option(help="The page, .html.")],
) -> None:
    """Write the page of the forms that differ in one switch."""
    from sciml.progression.config import PageConfig
    from sciml.stages import parse_config, stage

    with stage("progression.ablate-report", output):
        settings = parse_config(PageConfig, config)
        from sciml.progression.stages.ablate_report import run

        run(settings, results, output)


@app.command("train-autoencoder")
def stage_train_autoencoder(
    config: Settings, cohort: CohortFolder, output: Output, threads: Threads = None, gpu: Gpu = 0
) -> None:
    """Learn the latent space, and measure its scale; a stopped training goes on."""
    from sciml.progression.settings.models import TrainAutoencoderConfig
    from sciml.stages import parse_config, stage

    with stage("progression.train_autoencoder", output, threads, gpu) as device:
        settings = parse_config(TrainAutoencoderConfig, config)
        from sciml.progression.stages.train_autoencoder import run

        run(settings, cohort, output, device)


@app.command("train-diffusion")
def stage_train_diffusion(
    config: Settings, cohort: CohortFolder, autoencoder: AutoencoderFile, output: Output, threads: Threads = None, gpu: Gpu = 0
) -> None:
    """Learn the diffusion model of one form; a stopped training goes on."""
    from sciml.progression.settings.models import TrainDiffusionConfig
    from sciml.stages import parse_config, stage

    with stage("progression.train_diffusion", output, threads, gpu) as device:
        settings = parse_config(TrainDiffusionConfig, config)
        from sciml.progression.stages.train_diffusion import run

        run(settings, cohort, autoencoder, output, device)


@app.command("train-controlnet")
def stage_train_controlnet(
    config: Settings,
    cohort: CohortFolder,
    autoencoder: AutoencoderFile,
    diffusion: Annotated[Path, typer.Option(help="Weights of train-diffusion.")],
    output: Output,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Learn how a start steers a diffusion model that stays as it is; a stopped training goes on."""
    from sciml.progression.settings.models import TrainControlConfig
    from sciml.stages import parse_config, stage

    with stage("progression.train_controlnet", output, threads, gpu) as device:
        settings = parse_config(TrainControlConfig, config)
        from sciml.progression.stages.train_diffusion import run_control

        run_control(settings, cohort, autoencoder, diffusion, output, device)


@app.command("fit-course")
def stage_fit_course(config: Settings, cohort: CohortFolder, output: Output) -> None:
    """Fit the models of how regional volumes change."""
    from sciml.progression.settings.models import FitCourseConfig
    from sciml.stages import parse_config, stage

    with stage("progression.fit_course", output, 1):
        settings = parse_config(FitCourseConfig, config)
        from sciml.progression.stages.fit_course import run

        run(settings, cohort, output)


@app.command("assemble")
def stage_assemble(
    name: Annotated[str, typer.Option(help="Name of the model.")],
    autoencoder: AutoencoderFile,
    denoiser: Annotated[Path, typer.Option(help="Weights of train-diffusion or train-controlnet.")],
    course: Annotated[Path, typer.Option(help="Models of fit-course.")],
    output: Annotated[Path, typer.Option("--output", help="Model file.")],
) -> None:
    """Join the parts of a model to one file."""
    from sciml.stages import stage

    with stage("progression.assemble", output, 1):
        from sciml.progression.networks.model_files import assemble

        assemble(output, name, autoencoder, denoiser, course)


@app.command("predict")
def stage_predict(
    config: Settings,
    cohort: CohortFolder,
    model: Annotated[list[str], typer.Option(help="FORM=FILE of a model. Repeatable.")],
    output: Output,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Forecast all pairs of a split in every way that is compared; finished ways are kept."""
    from sciml.progression.settings.models import PredictConfig
    from sciml.runtime.errors import ConfigError
    from sciml.stages import parse_config, stage

    named = [entry.partition("=") for entry in model]
    if wrong := [entry for entry in named if not entry[2]]:
        raise ConfigError(f"--model is {wrong[0][0]!r}, expected FORM=FILE")
    with stage("progression.predict", output, threads, gpu) as device:
        settings = parse_config(PredictConfig, config)
        from sciml.progression.stages.predict import run

        run(settings, cohort, {form: Path(path) for form, _, path in named}, output, device)


@app.command("evaluate")
def stage_evaluate(
    config: Settings,
    cohort: CohortFolder,
    calibration: CalibrationFolder,
    model: Annotated[Path, typer.Option(help="Model file whose autoencoder and courses are used.")],
    predictions: Annotated[Path, typer.Option(help="Folder of `predict`.")],
    output: Output,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Compare every way to forecast with baselines and ceilings."""
    from sciml.progression.settings.models import EvaluateConfig
    from sciml.stages import parse_config, stage

    with stage("progression.evaluate", output, threads, gpu) as device:
        settings = parse_config(EvaluateConfig, config)
        from sciml.progression.stages.evaluate import run

        run(settings, cohort, calibration, model, predictions, output, device)


@app.command("person")
def stage_person(
    config: Settings,
    calibration: CalibrationFolder,
    model: Annotated[Path, typer.Option(help="Model file.")],
    output: Output,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Forecast the brain of a real man, Colin27, as if he were old."""
    from sciml.progression.config import PersonConfig
    from sciml.stages import parse_config, stage

    with stage("progression.person", output, threads, gpu) as device:
        settings = parse_config(PersonConfig, config)
        from sciml.progression.stages.person import run

        run(settings, calibration, model, output, device)


@app.command("publish")
def stage_publish(
    weights: Annotated[Path, typer.Option(help="Model file.")],
    metrics: Annotated[Path, typer.Option(help="metrics.json of its evaluation.")],
    name: Annotated[str, typer.Option(help="By which it is loaded.")],
    output: Output,
) -> None:
    """Copy a model into the package, with its card."""
    from sciml.stages import stage

    with stage("progression.publish", output, 1):
        from sciml.progression.stages.publish import run

        run(weights, metrics, name, output)
