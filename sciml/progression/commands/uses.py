"""`sciml progression forecast|convert-weights`: a trained model on scans and cohorts, and the authors' weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.options import MODEL, Gpu, Reads, Seed, Threads
from sciml.progression.commands.data import check_cohort
from sciml.progression.settings.models import SHIPPED_MODEL, SHIPPED_MOTION


def check_forecastable(path: Path) -> None:
    """Refuse what is neither a cohort's folder nor a scan's file."""
    from sciml.formats.nifti import SCAN_SUFFIXES
    from sciml.runtime.errors import FormatError

    if path.is_dir():
        check_cohort(path)
    elif path.exists() and not path.name.endswith(SCAN_SUFFIXES):
        raise FormatError(f"{path} is neither a scan ({', '.join(SCAN_SUFFIXES)}) nor the folder of a cohort")


def forecast_command(
    source: Annotated[
        Path,
        Reads(check_forecastable),
        typer.Argument(
            help="A T1 scan of one subject (NIfTI or MGH, any orientation, with skull or without), or a cohort's folder."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("forecast"),
    age: Annotated[
        list[float] | None,
        typer.Option(help="Of a scan: the subject's age at the scan. Of a cohort: age that is asked for, repeatable. In years."),
    ] = None,
    sex: Annotated[str | None, typer.Option(help="Scan: sex of the subject, M or F.")] = None,
    diagnosis: Annotated[
        str | None,
        typer.Option(
            help="CN, MCI or AD. Scan: the subject's. Cohort: assumed from the last visit on, the last known by default."
        ),
    ] = None,
    years: Annotated[
        list[float] | None,
        typer.Option(help="Years after the scan, or after a subject's last visit; 2 and 4 by default. Repeatable."),
    ] = None,
    model: Annotated[
        str | None,
        MODEL,
        typer.Option(help="Name of a shipped model, or a model file; by default mni-motion for the form flow, else mni-4p5mm."),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            help="flow moves the scan to the volumes that are expected; model adds the change that the model learned. By default "
            "flow for a scan, model for a cohort, which needs labels for a flow."
        ),
    ] = None,
    segmentation: Annotated[
        Path | None, typer.Option(help="Scan: label image on any grid, e.g. of SynthSeg; regions are estimated without.")
    ] = None,
    codes: Annotated[str, typer.Option(help="Its code table: synthseg, published, or a CSV of region and code.")] = "synthseg",
    brain_mask: Annotated[Path | None, typer.Option(help="Scan: image above 0 in the brain; a skull is removed without.")] = None,
    volume: Annotated[int | None, typer.Option(min=0, help="Scan: which volume of a file that holds several.")] = None,
    subject: Annotated[list[str] | None, typer.Option(help="Cohort: a subject of it; all by default. Repeatable.")] = None,
    scan: Annotated[
        Path | None,
        typer.Option(
            help="Cohort: the subject's last scan as it was before `prepare`: its forecast is written in its space too."
        ),
    ] = None,
    register: Annotated[str, typer.Option(help="Cohort: how that scan was prepared, none or affine.")] = "none",
    samples: Annotated[int, typer.Option(min=1, help="Chains whose latents are averaged; draws of a cohort's flow.")] = 8,
    steps: Annotated[int, typer.Option(min=1, help="Steps of a chain, a divisor of 1000.")] = 20,
    decoding: Annotated[str, typer.Option(help="residual: the scan and its decoded change; direct: as published.")] = "residual",
    course: Annotated[
        str | None,
        typer.Option(
            help="Course model of the volumes. By default: of a scan linear_population, the rates of the diagnosis; of a cohort "
            "best: calibrated where the model has it, else by_visits."
        ),
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Forecast the brain of one subject from a raw T1 scan, or the subjects of a cohort. Not for clinical use.

    A scan is registered to MNI152, its skull removed where it has one, its intensities evened out, its regions taken from the
    segmentation or estimated; forecast.nii.gz has the scan and each later age in the scan's own voxels, volumes.csv the volumes
    with 90 % intervals, forecast.png a picture of all that. Where the brain is not found the command ends with a picture of what
    was, and with the remedy.

    A cohort gets a folder for each subject: all visits feed the course of the volumes, the last image is the start. Subjects who
    are finished are kept when the command is stopped; who cannot be forecast is named at the end and the others go on (exit
    code 3).

    Examples: sciml data export mni2009c_t1 --out scan.nii.gz;
    sciml progression forecast scan.nii.gz --age 71 --sex F --diagnosis MCI --years 5;
    sciml progression simulate --out cohort --train 0 --validation 0 --test 2;
    sciml progression forecast cohort --out forecasts --subject test-000 --age 85 --age 90;
    sciml progression forecast cohort --out moved --subject test-000 --form flow;
    sciml progression forecast cohort --out whatif --subject test-001 --years 5 --diagnosis CN --samples 16
    """
    from sciml.runtime.errors import ConfigError
    from sciml.runtime.settings import validated
    from sciml.stages import stage

    of_scan = {"--sex": sex, "--segmentation": segmentation, "--brain-mask": brain_mask, "--volume": volume}
    of_cohort = {"--subject": subject, "--scan": scan}
    single = not source.is_dir()
    used = model or (SHIPPED_MOTION if (form or ("flow" if single else "model")) == "flow" else SHIPPED_MODEL)
    if wrong := [name for name, value in (of_cohort if single else of_scan).items() if value is not None]:
        kind = ("a scan", "a cohort") if single else ("a cohort", "a scan")
        raise ConfigError(f"{wrong[0]} belongs to {kind[1]}, and {source} is {kind[0]}")
    how = {"samples": samples, "steps": steps, "decoding": decoding}
    later = {"years_ahead": tuple(years)} if years else {}
    if single:
        from sciml.formats.nifti import read_scan
        from sciml.progression.cohorts.regions import DIAGNOSES
        from sciml.progression.settings.models import AskScanConfig

        given = {"--age": age, "--sex": sex, "--diagnosis": diagnosis}
        if missing := [name for name, value in given.items() if not value]:
            raise ConfigError(
                f"{', '.join(missing)} missing: a scan needs age in years, sex (M, F) and diagnosis ({', '.join(DIAGNOSES)})"
            )
        if age is None or len(age) != 1:
            raise ConfigError("--age is the subject's age at the scan, one number: ask for later ages by --years")
        config = validated(
            AskScanConfig,
            {
                "age_years": age[0], "sex": (sex or "").upper()[:1], "diagnosis": (diagnosis or "").upper(),
                "form": form or "flow", "codes": codes, "volume": volume, "seed": seed,
                "how": {**how, "course": course or "linear_population"}, **later,
            },
            "forecast",
        )  # fmt: skip
        # what cannot be read is refused before torch is loaded
        for path in (source, segmentation, brain_mask):
            if path is not None:
                read_scan(path, volume if path is source else None)
        with stage("progression.forecast_scan", out, threads, gpu) as device:
            from sciml.progression.stages.forecast import run_scan

            for path in run_scan(config, source, used, out, device, segmentation, brain_mask):
                typer.echo(path)
        return
    from sciml.progression.settings.models import AskConfig

    values = {
        "subjects": tuple(subject or ()),
        "ages": tuple(age or ()),
        "diagnosis": diagnosis,
        "form": form or "model",
        "how": {**how, "course": course or "best"},
        "registration": register,
        "seed": seed,
    } | later
    config = validated(AskConfig, values, "forecast")
    with stage("progression.forecast", out, threads, gpu) as device:
        from sciml.progression.stages.forecast import run

        for path in run(config, source, used, out, device, scan):
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
