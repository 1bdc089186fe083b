"""`sciml imaging`: classical reconstruction on your own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Reconstruct pictures from blurred, noisy or incomplete measurements with classical methods.", no_args_is_help=True
)

TaskName = Annotated[str, typer.Option("--task", help="A task of `sciml imaging tasks`.")]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Option of the task: key=value, e.g. views=24. Repeatable. sigma is on the scale from 0 to 1 (see --range)."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of kernel, mask, phase and noise.")]
Kernel = Annotated[Path | None, typer.Option(help="Your own blur kernel for `deblur`: an image or NPY file.")]
Threads = Annotated[int | None, typer.Option(help="Computing threads.")]
Gpu = Annotated[int, typer.Option(help="Number of cards to claim; 0 computes on the CPU.")]


@app.command("tasks")
def tasks_command() -> None:
    """List the tasks with their options and the methods that apply."""
    from rich.console import Console
    from rich.table import Table

    from sciml.imaging.tasks.catalogue import METHODS, TASKS, is_installed, methods_for

    table = Table("task", "what it is", "options with defaults (--set)", "methods (--method)")
    for name, kind in TASKS.items():
        options = "\n".join(f"{key}={value}" for key, value in kind.defaults.items())
        methods = [method if is_installed(METHODS[method]) else f"{method} (extra)" for method in methods_for(name)]
        table.add_row(name, kind.title, options, "\n".join(methods), end_section=True)
    Console().print(table)


@app.command("measure")
def measure_command(
    image: Annotated[Path, typer.Argument(help="Picture, slice or volume: PNG, TIFF, JPEG, NPY, DICOM, NIfTI.")],
    task: TaskName,
    out: Annotated[Path, typer.Option(help="Measurement file to write, .safetensors.")],
    options: Options = None,
    kernel: Kernel = None,
    seed: Seed = 0,
    range: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="LOW HIGH: the values that become 0 and 1; values beyond are cut. Without it -1000 1000 for Hounsfield units, "
            "0 1 for integer pictures and floats between 0 and 1, otherwise 0 (or the least value below 0) to the largest."
        ),
    ] = None,
) -> None:
    """Simulate the measurement of a task on your own image.

    The result of `solve` comes back in the units of the image (PNG: black to white over the range).

    Example: sciml imaging measure scan.nii.gz --task ct-sparse --set views=60 --out scan.safetensors
    """
    from sciml.classical.commands.single import measure_file

    measure_file(image, task, out, options or [], kernel, seed, range)
    typer.echo(f"{out}: measured {image.name} for {task}; next: sciml imaging solve {out} --method tv --out result.png")


@app.command("solve")
def solve_command(
    measurement: Annotated[
        Path, typer.Argument(help="File of `measure`, or a noisy or blurred image, or a sinogram (NPY, views x bins, in pixels).")
    ],
    out: Annotated[Path, typer.Option(help="Result: .png, .tif, .npy, .nii.gz.")],
    method: Annotated[
        str, typer.Option(help="A method of `sciml imaging tasks`, or `prior:NAME` for an installed prior.")
    ] = "tv",
    parameter: Annotated[float | None, typer.Option(help="Value of the method's parameter; a good default otherwise.")] = None,
    task: Annotated[str | None, typer.Option("--task", help="Needed when the input is an image: what was measured.")] = None,
    options: Options = None,
    kernel: Kernel = None,
    seed: Seed = 0,
    mask: Annotated[
        Path | None, typer.Option(help="For `inpaint` of an image: image or NPY file, above 0.5 where a pixel was measured.")
    ] = None,
    range: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="LOW HIGH: the values of an image that become 0 and 1, e.g. -1000 1000 or 0 255; nothing is cut. "
            "sigma is a fraction of HIGH - LOW. Needed for floats that are not on the scale from 0 to 1; "
            "all other values are used as they are."
        ),
    ] = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Reconstruct a measurement.

    An image is used as it is: integers divided by their type's largest value, floats as stored, or mapped by --range. The result
    comes back in the units of the image (PNG: black to white over the range).

    Examples: sciml imaging solve scan.safetensors --method tv --out scan.png;
    sciml imaging solve photo.jpg --task denoise --set sigma=0.05 --out clean.png;
    sciml imaging solve shaken.png --task deblur --kernel kernel.png --set sigma=0.01 --out sharp.png;
    sciml imaging solve holes.png --task inpaint --mask known.png --out filled.png;
    sciml imaging solve scan.dcm --task denoise --range -1000 1000 --set sigma=0.01 --out clean.npy
    """
    from sciml.stages import stage

    with stage("imaging.solve", out, threads, gpu) as device:
        from sciml.classical.commands.single import solve_file

        solve_file(measurement, out, method, parameter, task, options or [], kernel, seed, device, mask, range)
    typer.echo(str(out))


@app.command("evaluate")
def evaluate_command(
    result: Annotated[Path, typer.Argument(help="Reconstruction.")],
    truth: Annotated[Path, typer.Argument(help="True image; its centre is taken where it is larger.")],
    range: Annotated[
        tuple[float, float] | None,
        typer.Option(help="LOW HIGH: the data range of the scores; without it the truth's, as in `measure`."),
    ] = None,
) -> None:
    """Print PSNR and SSIM of a reconstruction against the truth, both on the truth's scale."""
    from sciml.classical.commands.single import score_files

    for name, (psnr, ssim) in score_files(result, truth, range).items():
        typer.echo(f"{name}\tPSNR {psnr:.2f} dB\tSSIM {ssim:.4f}")


@app.command("report")
def report_command(
    results: Annotated[Path | None, typer.Argument(help="Results folder of the study; results/TIER/imaging by default.")] = None,
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("reports/imaging.html"),
    tier: Annotated[str, typer.Option(help="Tier that the results were made at.")] = "demo",
) -> None:
    """Write the page of the study from its results (the workflow does this too)."""
    from sciml.classical.stages.report import run
    from sciml.settings import load

    settings = load(tier)
    run(settings.imaging.report_config(settings), results or Path("results", settings.tier, "imaging"), out)
    typer.echo(str(out))
