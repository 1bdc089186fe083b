"""`sciml progression forecast|convert-weights`: a trained model on people, and the authors' weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.options import MODEL, Gpu, Seed, Threads
from sciml.progression.commands.data import COHORT


def forecast_command(
    cohort: Annotated[Path, COHORT, typer.Argument(help="Folder of a cohort, simulated or prepared.")],
    out: Annotated[Path, typer.Option(help="Folder of the results, with a folder for each person.")],
    model: Annotated[str, MODEL, typer.Option(help="Name of a shipped model, or a model file.")] = "mni-4p5mm",
    subject: Annotated[list[str] | None, typer.Option(help="Person of the cohort; all by default. Repeatable.")] = None,
    age: Annotated[list[float] | None, typer.Option(help="Age in years. Repeatable.")] = None,
    years: Annotated[list[float] | None, typer.Option(help="Years after the last visit, instead of ages. Repeatable.")] = None,
    diagnosis: Annotated[
        str | None, typer.Option(help="CN, MCI or AD, assumed from the last visit on: what if? The last known one by default.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Chains whose latents are averaged.")] = 8,
    steps: Annotated[int, typer.Option(min=1, help="Steps of a chain, a divisor of 1000.")] = 20,
    decoding: Annotated[str, typer.Option(help="residual: the scan and its decoded change; direct: as published.")] = "residual",
    course: Annotated[
        str, typer.Option(help="Course model of the volumes; by_visits: huber for one visit, logistic_mixed for more.")
    ] = "by_visits",
    scan: Annotated[
        Path | None,
        typer.Option(help="The person's last scan as it was before `prepare`: the forecast is written in its space too."),
    ] = None,
    register: Annotated[str, typer.Option(help="How that scan was prepared: none or affine.")] = "none",
    seed: Seed = 0,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Forecast people: a 4-D image over the ages, an uncertainty map, volumes with 90 % intervals. Not for clinical use.

    All visits of a person feed the course of the volumes; the last one's image is the start. People who are finished are kept
    when the command is stopped; who cannot be forecast is named at the end and the others go on (exit code 3).

    Examples: sciml progression forecast cohort --out forecasts --subject test-0001 --age 80 --age 85;
    sciml progression forecast mine --out next --subject anna --years 3 --scan anna-2.nii.gz;
    sciml progression forecast cohort --out whatif --subject test-0001 --years 5 --diagnosis CN --samples 16
    """
    from sciml.progression.settings.models import AskConfig
    from sciml.runtime.settings import validated
    from sciml.stages import stage

    values = {
        "subjects": tuple(subject or ()),
        "ages": tuple(age or ()),
        "diagnosis": diagnosis,
        "how": {"samples": samples, "steps": steps, "decoding": decoding, "course": course},
        "registration": register,
        "seed": seed,
    } | ({"years_ahead": tuple(years)} if years else {})
    config = validated(AskConfig, values, "forecast")
    with stage("progression.forecast", out, threads, gpu) as device:
        from sciml.progression.stages.forecast import run

        for path in run(config, cohort, model, out, device, scan):
            typer.echo(path)


def convert_weights_command(
    out: Annotated[Path, typer.Option(help="Model file, .safetensors.")],
    autoencoder: Annotated[Path, typer.Option(help="The authors' autoencoder, .pth.")],
    unet: Annotated[Path, typer.Option(help="The authors' diffusion model, .pth.")],
    controlnet: Annotated[Path, typer.Option(help="The authors' ControlNet, .pth.")],
    course: Annotated[
        list[str] | None, typer.Option(help="DIAGNOSIS=FILE.json of a course model, e.g. AD=dcm_ad.json. Repeatable.")
    ] = None,
    latent_scale: Annotated[
        float | None,
        typer.Option(
            help="What latents were multiplied by when the diffusion model was trained; the files do not say. 1 by default."
        ),
    ] = None,
) -> None:
    """Convert the authors' weights to a model of the 1.5 mm grid. Not for clinical use.

    Files are read as plain tensors, nothing in them is executed; every name and shape is checked; the autoencoder must give the
    MNI152 template back with 25 dB at least.

    Example: sciml progression convert-weights --autoencoder ae.pth --unet unet.pth --controlnet cnet.pth --out m.safetensors
    --course CN=dcm_cn.json --course MCI=dcm_mci.json --course AD=dcm_ad.json
    """
    from sciml.runtime.errors import ConfigError
    from sciml.stages import stage

    named = [entry.partition("=") for entry in course or ()]
    if wrong := [entry for entry in named if not entry[2] or entry[0] not in ("CN", "MCI", "AD")]:
        raise ConfigError(f"--course is {''.join(wrong[0])!r}, expected CN=FILE, MCI=FILE or AD=FILE")
    with stage("progression.convert_weights", out):
        from sciml.progression.networks.published import convert_weights

        courses = {diagnosis: Path(path) for diagnosis, _, path in named}
        for path in convert_weights(autoencoder, unet, controlnet, out, courses=courses, latent_scale=latent_scale):
            typer.echo(path)
