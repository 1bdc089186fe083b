"""`sciml proximal`: learned proximal networks on your own pictures and scans."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sciml.options import (
    IMAGE,
    MEASUREMENT,
    MODEL,
    PLANE,
    TENSORS,
    Force,
    Gpu,
    MasterSeed,
    NoisyRange,
    Seed,
    Set,
    TaskOptions,
    Threads,
    Tier,
    TrueRange,
    add_report,
    check_image,
    command,
    study_settings,
)
from sciml.runtime.files import refuse_existing

app = typer.Typer(
    help="Denoise and reconstruct with a learned prior: the network is a proximal operator, its prior R a number that you can "
    "ask for, and a reconstruction comes with a certificate of convergence.",
    no_args_is_help=True,
)

WRITTEN = (".png", ".tif", ".tiff", ".npy", ".nii", ".nii.gz")
SAME_FORM = {suffix: suffix for suffix in WRITTEN} | {".jpg": ".png", ".jpeg": ".png", ".dcm": ".tif"}

Model = Annotated[
    str, MODEL, typer.Option("--model", help="Shipped weights (`sciml proximal models`), or a .safetensors file of `train`.")
]
Auto = Annotated[
    str,
    MODEL,
    typer.Option("--model", help="auto (by the channels), shipped weights (`sciml proximal models`) or a file of `train`."),
]
Fast = Annotated[
    bool, typer.Option("--fast", help="Let the explicit form be chosen: half a decibel less, some sixty times as fast.")
]
Images = Annotated[list[Path], IMAGE, typer.Argument(help="Pictures, slices or volumes.")]
PriorNoise = Annotated[
    float | None, typer.Option("--prior-noise-std", help="Noise level at which R is taken; the network's own by default.")
]
Size = Annotated[int, typer.Option(min=8, help="Rows and columns of the test images.")]


@command(app, "models")
def models_command() -> None:
    """List the weights that come with the package: form, channels, noise levels of the training, size, purpose.

    Example: sciml proximal models
    """
    from rich.console import Console
    from rich.table import Table

    from sciml.proximal.networks.network_table import shipped_models

    rows = shipped_models()
    if not rows:
        typer.echo("this installation has no weights: train some with `sciml proximal train photo-grey --out weights`")
        return
    table = Table("model (--model)", "form", "channels", "sigma", "parameters", "what for")
    for row in rows:
        low, high = row.sigma_range
        levels = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        table.add_row(row.name, row.form, str(row.channels), levels, f"{row.parameters:,}", row.purpose)
    Console(width=None if sys.stdout.isatty() else 110).print(table)


@command(app, "denoise", {"--sigma": "--noise-std"}, resumes=True)
def denoise_command(
    images: Annotated[
        list[str],
        typer.Argument(help="Noisy pictures, slices or volumes: PNG, TIFF, JPEG, NPY, DICOM, NIfTI; or folders of them."),
    ],
    out: Annotated[Path, typer.Option(help="Result: .png, .tif, .npy, .nii.gz; a folder for several.")],
    model: Auto = "auto",
    noise_std: Annotated[
        float | None,
        typer.Option(
            "--noise-std",
            help="Standard deviation of the noise on the scale from 0 to 1 (see --range); estimated when left away.",
        ),
    ] = None,
    fast: Fast = False,
    range: NoisyRange = None,
    threads: Threads = None,
    gpu: Gpu = 0,
    force: Force = False,
) -> None:
    """Remove white noise from files; a result has the form and the units of its file.

    A colour picture goes through photo-colour-guided, a grey one and the slices of a volume through photo-grey-guided, whose
    thresholds follow the picture; --model and --fast choose others. Means of 42 crops of 256 x 256 at --noise-std 0.1 on one
    core (benchmarks/photographs.py), in grey: photo-grey-guided 34.90 dB in 2.6 s, photo-grey 34.35 dB in 1.4 s, --fast 33.98 dB
    in 0.3 s; in colour: photo-colour-guided 35.84 dB in 7.3 s, photo-colour 35.36 dB in 3.6 s. `sciml proximal evaluate`
    measures them on yours. Of several files, what is there already is skipped, and what fails is told and the others go on (exit
    code 3 at the end).

    Examples: sciml proximal denoise photo.jpg --noise-std 0.1 --out clean.png;
    sciml proximal denoise scan.nii.gz --range -1000 1000 --out clean.nii.gz;
    sciml proximal denoise photos --out clean-photos
    """
    from sciml.batch import look, plan
    from sciml.formats.read import SUFFIXES
    from sciml.stages import stage

    jobs = plan(images, out, SUFFIXES, WRITTEN, SAME_FORM)
    look(lambda job: check_image(job.source), jobs, force)
    with stage("proximal.denoise", out, threads, gpu) as device:
        from sciml.proximal.commands.single import denoise_files

        denoise_files(jobs, model, noise_std, range, device, force, typer.echo, fast)


@command(
    app,
    "reconstruct",
    {"--set": "--option", "--prior-sigma": "--prior-noise-std", "--certificate": "--json", "--curve": "--curve-out"},
)
def reconstruct_command(
    measurement: Annotated[
        Path,
        MEASUREMENT,
        typer.Argument(help="File of `sciml imaging measure`, or a noisy or blurred image, or a sinogram (NPY, views x bins)."),
    ],
    out: Annotated[Path, typer.Option(help="Result: .png, .tif, .npy, .nii.gz.")],
    model: Annotated[
        str | None,
        MODEL,
        typer.Option(help="Shipped weights (`sciml proximal models`) or a file; the one for the task by default."),
    ] = None,
    fast: Fast = False,
    task: Annotated[str | None, typer.Option("--task", help="Needed when the input is an image: what was measured.")] = None,
    options: TaskOptions = None,
    kernel: Annotated[Path | None, PLANE, typer.Option(help="Your own blur kernel for `deblur`: an image or NPY file.")] = None,
    seed: Seed = 0,
    mask: Annotated[
        Path | None,
        PLANE,
        typer.Option(help="For `inpaint` of an image: image or NPY file, above 0.5 where a pixel was measured."),
    ] = None,
    range: NoisyRange = None,
    weight: Annotated[float, typer.Option(help="Multiple of the natural weight of the prior; larger is smoother.")] = 1.0,
    noise_std: Annotated[
        float | None,
        typer.Option(
            "--noise-std", help="Noise of an entry of the measurement, when it is not that of the task (--option sigma)."
        ),
    ] = None,
    prior_noise_std: Annotated[
        float | None,
        typer.Option("--prior-noise-std", help="Noise level at which R is taken; by default that which a pixel sees."),
    ] = None,
    solver: Annotated[str, typer.Option(help="auto, variational (implicit form), pgd or admm.")] = "auto",
    step: Annotated[
        float | None, typer.Option(help="Step of pgd, below 1 / ||A||^2 for a certificate; 0.98 / ||A||^2 by default.")
    ] = None,
    penalty: Annotated[
        float | None, typer.Option(help="Penalty of admm, above ||A||^2 for a certificate; 1.05 ||A||^2 by default.")
    ] = None,
    allow_uncertified: Annotated[
        bool,
        typer.Option(
            "--allow-uncertified",
            help="Run with a step or penalty beyond its bound, and end with exit code 0, not 3, where nothing is certified.",
        ),
    ] = False,
    json: Annotated[Path | None, typer.Option(help="JSON file: every number behind the certificate.")] = None,
    curve_out: Annotated[
        Path | None, typer.Option("--curve-out", help="CSV file: the objective F of each image and iteration.")
    ] = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Reconstruct a measurement: minimise F(x) = 1/2 ||A x - y||^2 + weight R(x), and say whether convergence is certified.

    Inputs are those of `sciml imaging solve`. The result is written in any case; without a certificate the exit code is 3.

    Examples: sciml proximal reconstruct scan.safetensors --out scan.npy --json certificate.json;
    sciml proximal reconstruct shaken.png --task deblur --kernel kernel.png --option sigma=0.01 --out sharp.png;
    sciml proximal reconstruct holes.png --task inpaint --mask known.png --out filled.png --curve-out objective.csv
    """
    from sciml.runtime.errors import PartialResult
    from sciml.stages import stage

    with stage("proximal.reconstruct", out, threads, gpu) as device:
        from sciml.proximal.commands.single import reconstruct_file

        outcome = reconstruct_file(
            measurement,
            out,
            model,
            task,
            options or [],
            kernel,
            seed,
            mask,
            range,
            weight=weight,
            noise_std=noise_std,
            sigma=prior_noise_std,
            solver=solver,
            step=step,
            penalty=penalty,
            allow_uncertified=allow_uncertified,
            certificate=json,
            curve=curve_out,
            device=device,
            fast=fast,
        )
    if not outcome.certified and not allow_uncertified:
        raise PartialResult(f"{out} is written, {outcome.line()}; --allow-uncertified accepts it")
    typer.echo(f"{out}: {outcome.line()}")


@command(app, "prior", {"--sigma": "--prior-noise-std", "--picture": "--picture-out", "--strict": "--refuse-outside"})
def prior_command(
    images: Images,
    model: Model = "photo-grey",
    prior_noise_std: PriorNoise = None,
    picture_out: Annotated[
        Path | None,
        typer.Option("--picture-out", help="PNG, PDF or SVG to draw: R along noise, blur and mixing with the next image."),
    ] = None,
    refuse_outside: Annotated[
        bool, typer.Option("--refuse-outside", help="Exit code 3 where an image is outside the range of f.")
    ] = False,
    range: NoisyRange = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Print the learned prior R of images: the lower, the more likely the network thinks them.

    R is +inf for images that are no output of the network (outside its range), which happens in the explicit form only.

    Example: sciml proximal prior sharp.png blurred.png --picture-out prior.png
    """
    from rich.console import Console
    from rich.table import Table

    from sciml.runtime.errors import PartialResult
    from sciml.stages import stage

    with stage("proximal.prior", picture_out or images[0], threads, gpu) as device:
        from sciml.proximal.study.prior_picture import priors_of_files

        rows, level = priors_of_files(images, model, prior_noise_std, range, picture_out, device)
    table = Table("image", "R", "R per pixel", "status", title=f"{model}, noise level {level:g}")
    for row in rows:
        table.add_row(row.name, f"{row.value:.6g}", f"{row.per_pixel:.4g}", row.status)
    Console(width=None if sys.stdout.isatty() else 110).print(table)
    outside = [row.name for row in rows if row.outside]
    if outside and refuse_outside:
        raise PartialResult(f"{len(outside)} of {len(rows)} files are outside the range of f, where R is infinite: {outside[0]}")


@command(app, "certify", {"--sigma": "--prior-noise-std"})
def certify_command(
    weights: Annotated[list[str], MODEL, typer.Argument(help="Weight files or shipped names.")],
    size: Size = 12,
    prior_noise_std: PriorNoise = None,
    seed: Seed = 0,
) -> None:
    """Measure in float64 what must hold for any weights: a symmetric Jacobian, exact proxes, descent. Exit code 1 if one fails.

    Example: sciml proximal certify photo-grey my-weights.safetensors
    """
    from sciml.proximal.certificates.certification import certify_file

    good = True
    for name in weights:
        good = _print_invariants(name, certify_file(name, size=size, sigma=prior_noise_std, seed=seed)) and good
    if not good:
        raise typer.Exit(1)


@command(app, "repair")
def repair_command(
    weights: Annotated[Path, TENSORS, typer.Argument(help="Weight file of the explicit form with negative weights.")],
    out: Annotated[Path, typer.Option(help="Repaired weight file, .safetensors.")],
    size: Size = 12,
    seed: Seed = 0,
) -> None:
    """Set negative weights of the explicit form to 0, certify the network again and write it. Exit code 1 if it still fails.

    It becomes another network, so test it again.

    Example: sciml proximal repair broken.safetensors --out repaired.safetensors
    """
    from sciml.proximal.certificates.certification import repair_file

    good = _print_invariants(str(out), repair_file(weights, out, size=size, seed=seed))
    if not good:
        raise typer.Exit(1)


def _print_invariants(name: str, rows: list[dict[str, object]]) -> bool:
    """Print one line an invariant; return whether all passed."""
    from rich.console import Console
    from rich.table import Table

    table = Table("", "invariant", "value", "threshold", "", title=name)
    for row in rows:
        if row["comparison"] == "n/a":
            table.add_row(str(row["id"]), f"{row['name']}\n{row['note']}", "", "", "n/a")
            continue
        value, threshold = ("-" if row[key] is None else f"{row[key]:.3g}" for key in ("value", "threshold"))
        failed = "" if row["passed"] else str(row["witness"] or row["note"])
        words = f"{row['name']}" + (f"\n{failed}" if failed else "")
        table.add_row(str(row["id"]), words, value, f"{row['comparison']} {threshold}", "pass" if row["passed"] else "FAIL")
    Console(width=None if sys.stdout.isatty() else 110).print(table)
    return all(bool(row["passed"]) for row in rows)


@command(app, "train", {"--output": "--out", "--start": "--model"}, resumes=True)
def train_command(
    name: Annotated[str, typer.Argument(help="A network of the settings: photo-grey, photo-deblur, ct, mr-t1, ...")],
    out: Annotated[Path, typer.Option(help="Folder for NAME.safetensors and history.csv.")],
    tier: Tier = "cpu",
    overrides: Set = None,
    model: Annotated[
        str | None,
        MODEL,
        typer.Option(help="Weights to go on from, where the settings name some; the shipped ones by default."),
    ] = None,
    seed: MasterSeed = None,
    threads: Threads = None,
    gpu: Gpu = 0,
    force: Force = False,
) -> None:
    """Train one network of the settings; the same command goes on with a training that was stopped.

    Data must be there (`sciml data fetch`). Use the result with --model FOLDER/NAME.safetensors.

    Examples: sciml proximal train photo-grey --out weights;
    sciml proximal train photo-grey --tier cpu --set proximal.models.photo-grey.steps=2000 --out weights
    """
    from sciml.runtime.errors import ConfigError
    from sciml.stages import stage

    settings = study_settings(tier, overrides, seed)
    if name not in settings.proximal.models:
        known = ", ".join(settings.proximal.models) or "none"
        raise ConfigError(f"the settings {tier} train no network {name!r}; they train {known}")
    if settings.tier == "gpu" and not gpu:
        raise ConfigError("the tier gpu is for a GPU, which --gpu 1 claims; on the processor train with --tier cpu")
    config = settings.proximal.train_config(settings, name)
    refuse_existing(out / f"{name}.safetensors", force)
    with stage("proximal.train", out, threads, gpu) as device:
        from sciml.proximal.networks.weight_files import weight_file
        from sciml.proximal.stages.train import run

        begin = model or config.start_from
        written = run(config, None if begin is None else weight_file(begin), out, device)
    typer.echo(f"{written[0]}: use it with --model {written[0]}")


@command(app, "evaluate", {"--sigma": "--noise-std"})
def evaluate_command(
    images: Annotated[list[Path], IMAGE, typer.Argument(help="Pictures, slices or volumes without noise.")],
    model: Auto = "auto",
    noise_std: Annotated[
        float, typer.Option("--noise-std", help="Standard deviation of the noise that is added, on the scale from 0 to 1.")
    ] = 0.1,
    seed: Seed = 0,
    range: TrueRange = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Add noise to clean images of yours, remove it again and print PSNR and SSIM before and after.

    What cannot be read is told and the others go on (exit code 3 at the end).

    Example: sciml proximal evaluate photo1.png photo2.png --noise-std 0.05
    """
    from sciml.stages import stage

    with stage("proximal.evaluate", images[0], threads, gpu) as device:
        from sciml.proximal.commands.single import score_files

        score_files(images, noise_std, model, seed, range, device, typer.echo)


add_report(app, "proximal")
