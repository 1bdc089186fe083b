"""`sciml progression train-autoencoder|train-diffusion|train-controlnet|fit-course|assemble`: models from a cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.options import MODEL, TENSORS, Gpu, MasterSeed, Set, Threads, Tier, study_settings
from sciml.progression.commands.data import COHORT

CohortFolder = Annotated[Path, COHORT, typer.Argument(help="Folder of a cohort; its training subjects are learned from.")]
Out = Annotated[Path, typer.Option(help="Folder of the results.")]
Form = Annotated[str, typer.Option(help="Name of the diffusion model in the settings: residual, official.")]
AutoencoderFile = Annotated[Path, TENSORS, typer.Option(help="Weights of train-autoencoder.")]


def train_autoencoder_command(
    cohort: CohortFolder,
    out: Out,
    tier: Tier = "cpu",
    overrides: Set = None,
    seed: MasterSeed = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Learn the latent space, and measure its scale. A stopped training goes on. Not for clinical use.

    Example: sciml progression train-autoencoder cohort --out model/autoencoder
    """
    from sciml.stages import stage

    settings = study_settings(tier, overrides, seed)
    with stage("progression.train_autoencoder", out, threads, gpu) as device:
        from sciml.progression.stages.train_autoencoder import run

        typer.echo(run(settings.progression.train_autoencoder_config(settings), cohort, out, device)[0])


def train_diffusion_command(
    cohort: CohortFolder,
    autoencoder: AutoencoderFile,
    out: Out,
    form: Form = "residual",
    tier: Tier = "cpu",
    overrides: Set = None,
    seed: MasterSeed = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Learn the diffusion model of one form. A stopped training goes on. Not for clinical use.

    The residual form is then complete; the official one needs train-controlnet.

    Example: sciml progression train-diffusion cohort --autoencoder a/autoencoder.safetensors --out model/diffusion
    """
    from sciml.stages import stage

    settings = study_settings(tier, overrides, seed)
    with stage("progression.train_diffusion", out, threads, gpu) as device:
        from sciml.progression.stages.train_diffusion import run

        typer.echo(run(settings.progression.train_diffusion_config(settings, form), cohort, autoencoder, out, device)[0])


def train_controlnet_command(
    cohort: CohortFolder,
    autoencoder: AutoencoderFile,
    diffusion: Annotated[Path, TENSORS, typer.Option(help="Weights of train-diffusion, of a form with a ControlNet.")],
    out: Out,
    form: Form = "official",
    tier: Tier = "cpu",
    overrides: Set = None,
    seed: MasterSeed = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Learn how a subject's anatomy steers a diffusion model that stays as it is. Not for clinical use.

    Example: sciml progression train-controlnet cohort --autoencoder a.safetensors --diffusion official.safetensors --out model
    """
    from sciml.stages import stage

    settings = study_settings(tier, overrides, seed)
    with stage("progression.train_controlnet", out, threads, gpu) as device:
        from sciml.progression.stages.train_controlnet import run

        config = settings.progression.train_control_config(settings, form)
        typer.echo(run(config, cohort, autoencoder, diffusion, out, device)[0])


def fit_course_command(
    cohort: CohortFolder, out: Out, tier: Tier = "cpu", overrides: Set = None, seed: MasterSeed = None
) -> None:
    """Fit the models of how regional volumes change with age: seven kinds, intervals that hold, in seconds. Not for clinical use.

    Example: sciml progression fit-course cohort --out model/course
    """
    from sciml.stages import stage

    settings = study_settings(tier, overrides, seed)
    with stage("progression.fit_course", out, 1):
        from sciml.progression.stages.fit_course import run

        typer.echo(run(settings.progression.fit_course_config(settings), cohort, out)[0])


def assemble_command(
    out: Annotated[Path, typer.Option(help="Model file, .safetensors.")],
    autoencoder: AutoencoderFile,
    denoiser: Annotated[Path, TENSORS, typer.Option(help="Weights of train-diffusion or train-controlnet.")],
    course: Annotated[Path, TENSORS, typer.Option(help="Models of fit-course.")],
    name: Annotated[str | None, typer.Option(help="Name of the model; the file's by default.")] = None,
) -> None:
    """Join the three parts of a model to one file, which `forecast` and Python take. Not for clinical use.

    Example: sciml progression assemble --autoencoder a.safetensors --denoiser d.safetensors --course c.safetensors
    --out me.safetensors
    """
    from sciml.progression.networks.parts import assemble

    typer.echo(assemble(out, name or out.stem, autoencoder, denoiser, course))


def evaluate_command(
    cohort: CohortFolder,
    calibration: Annotated[Path, COHORT, typer.Option(help="Folder of a calibration cohort, to which readouts are fitted.")],
    model: Annotated[Path, MODEL, typer.Option(help="Model file.")],
    out: Out,
    tier: Tier = "cpu",
    overrides: Set = None,
    seed: MasterSeed = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Compare a model's forecasts of test subjects with the truth, baselines and ceilings. Not for clinical use.

    OUT/predictions holds the forecasts of every variant, OUT/metrics.json the table. Finished variants are kept when the command
    is stopped.

    Example: sciml progression evaluate cohort --calibration calibration --model me.safetensors --out table
    """
    from sciml.stages import stage

    settings = study_settings(tier, overrides, seed)
    with stage("progression.evaluate", out, threads, gpu) as device:
        from sciml.progression.stages.evaluate import run as evaluate
        from sciml.progression.stages.predict import run as predict

        config = settings.progression.predict_config(settings)
        form = config.variants["main"].form
        # one model is one form
        own = {name: variant for name, variant in config.variants.items() if variant.form == form}
        predict(config.model_copy(update={"variants": own}), cohort, {form: [model]}, out / "predictions", device)
        written = evaluate(
            settings.progression.evaluate_config(settings), cohort, calibration, model, out / "predictions", out, device
        )
        typer.echo(written[0])
