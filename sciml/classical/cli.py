"""`sciml imaging`: classical reconstruction on your own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.options import (
    IMAGE,
    MEASUREMENT,
    MODEL,
    PLANE,
    Gpu,
    NoisyRange,
    Seed,
    TaskOptions,
    Threads,
    TrueRange,
    add_report,
    command,
)

app = typer.Typer(
    help="Reconstruct pictures from blurred, noisy or incomplete measurements with classical methods.", no_args_is_help=True
)

TaskName = Annotated[str, typer.Option("--task", help="A task of `sciml imaging tasks`.")]
Kernel = Annotated[Path | None, PLANE, typer.Option(help="Your own blur kernel for `deblur`: an image or NPY file.")]
OPTIONS = {"--set": "--option"}


@command(app, "tasks")
def tasks_command() -> None:
    """List the tasks with their options and the methods that apply.

    Example: sciml imaging tasks
    """
    from rich.console import Console
    from rich.table import Table

    from sciml.imaging.tasks.catalogue import METHODS, TASKS, is_installed, methods_for

    table = Table("task", "what it is", "options with defaults (--option)", "methods (--method)")
    for name, kind in TASKS.items():
        options = "\n".join(f"{key}={value}" for key, value in kind.defaults.items())
        methods = [method if is_installed(METHODS[method]) else f"{method} (extra)" for method in methods_for(name)]
        table.add_row(name, kind.title, options, "\n".join(methods), end_section=True)
    Console().print(table)


@command(app, "measure", OPTIONS)
def measure_command(
    image: Annotated[Path, IMAGE, typer.Argument(help="Picture, slice or volume: PNG, TIFF, JPEG, NPY, DICOM, NIfTI.")],
    task: TaskName,
    out: Annotated[Path, typer.Option(help="Measurement file to write, .safetensors.")],
    options: TaskOptions = None,
    kernel: Kernel = None,
    seed: Seed = 0,
    range: TrueRange = None,
) -> None:
    """Simulate the measurement of a task on your own image.

    The result of `solve` comes back in the units of the image (PNG: black to white over the range).

    Example: sciml imaging measure scan.nii.gz --task ct-sparse --option views=60 --out scan.safetensors
    """
    from sciml.classical.commands.single import measure_file

    measure_file(image, task, out, options or [], kernel, seed, range)
    typer.echo(f"{out}: measured {image.name} for {task}; next: sciml imaging solve {out} --method tv --out result.png")


@command(app, "solve", {**OPTIONS, "--parameter": "--weight"})
def solve_command(
    measurement: Annotated[
        Path,
        MEASUREMENT,
        typer.Argument(help="File of `measure`, or a noisy or blurred image, or a sinogram (NPY, views x bins, in pixels)."),
    ],
    out: Annotated[Path, typer.Option(help="Result: .png, .tif, .npy, .nii.gz.")],
    method: Annotated[str, MODEL, typer.Option(help="A method of `sciml imaging tasks`; tv by default.")] = "tv",
    prior: Annotated[
        str | None, MODEL, typer.Option(help="An installed prior instead of a method, e.g. lpn:photo-grey or lpn:my.safetensors.")
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(help="Weight of the prior in units of the noise, or the method's parameter; a good default otherwise."),
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="Needed when the input is an image: what was measured.")] = None,
    options: TaskOptions = None,
    kernel: Kernel = None,
    seed: Seed = 0,
    mask: Annotated[
        Path | None,
        PLANE,
        typer.Option(help="For `inpaint` of an image: image or NPY file, above 0.5 where a pixel was measured."),
    ] = None,
    range: NoisyRange = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Reconstruct a measurement.

    An image is used as it is: integers divided by their type's largest value, floats as stored, or mapped by --range. The result
    comes back in the units of the image (PNG: black to white over the range).

    Examples: sciml imaging solve scan.safetensors --method tv --out scan.png;
    sciml imaging solve photo.jpg --task denoise --option sigma=0.05 --out clean.png;
    sciml imaging solve photo.jpg --task denoise --option sigma=0.1 --prior lpn:photo-grey --out clean.png;
    sciml imaging solve shaken.png --task deblur --kernel kernel.png --option sigma=0.01 --out sharp.png;
    sciml imaging solve holes.png --task inpaint --mask known.png --out filled.png;
    sciml imaging solve scan.dcm --task denoise --range -1000 1000 --option sigma=0.01 --out clean.npy
    """
    from sciml.stages import stage

    chosen = method if prior is None else f"prior:{prior}"
    with stage("imaging.solve", out, threads, gpu) as device:
        from sciml.classical.commands.single import solve_file

        solve_file(measurement, out, chosen, weight, task, options or [], kernel, seed, device, mask, range)
    typer.echo(str(out))


def compare_command(
    result: Annotated[Path, IMAGE, typer.Argument(help="Reconstruction.")],
    truth: Annotated[Path, IMAGE, typer.Argument(help="True image; its centre is taken where it is larger.")],
    range: TrueRange = None,
) -> None:
    """Print PSNR and SSIM of a reconstruction against the truth, both on the truth's scale.

    Example: sciml imaging compare clean.png truth.png
    """
    from sciml.classical.commands.single import score_files

    for name, (psnr, ssim) in score_files(result, truth, range).items():
        typer.echo(f"{name}\tPSNR {psnr:.2f} dB\tSSIM {ssim:.4f}")


command(app, "compare")(compare_command)
command(app, "evaluate", hidden=True)(compare_command)
add_report(app, "imaging")
