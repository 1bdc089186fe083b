"""`sciml deblurring`: sharpen photographs whose blur kernel is only roughly known."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from sciml.options import IMAGE, MODEL, PLANE, Force, Gpu, Reads, Seed, Threads, add_report, check_image, command

app = typer.Typer(
    help="Sharpen a photograph whose blur kernel is only roughly known: the kernel is corrected as far as the photograph itself "
    "asks for it. A kernel is a name (motion:LENGTH,ANGLE, gaussian:WIDTH, disk:RADIUS, shake:SEED), a file, or estimated.",
    no_args_is_help=True,
)

Noise = Annotated[
    float | None,
    typer.Option(
        "--noise-std",
        help="Standard deviation of the noise in linear light, from 0 to 1; estimated by default. Larger is calmer.",
    ),
]
Gamma = Annotated[
    str,
    typer.Option(
        help="srgb: display values; none: values proportional to light; auto: srgb for PNG, JPEG and 8-bit TIFF, none for others."
    ),
]
Range = Annotated[
    tuple[float, float] | None,
    typer.Option("--range", help="LOW HIGH: stored values that are black and white, e.g. 0 4095. For floats beyond 0 and 1."),
]
Photo = Annotated[Path, IMAGE, typer.Argument(help="Blurred photograph: PNG, JPEG, TIFF, NPY.")]


def check_kernel(text: str) -> None:
    """Refuse a kernel's file that cannot be read, and a name that is none; `estimate` passes."""
    from sciml.deblurring.kernels.canonical import read_kernel

    if text.partition(":")[0] != "estimate":
        read_kernel(text)


def check_blur(text: str) -> None:
    """Refuse what `check_kernel` does, but for the table of poses of a camera that turned, where it can be read."""
    from sciml.deblurring.kernels.shake import is_shake, read_shake

    if is_shake(text):
        read_shake(Path(text))
    elif text.partition(":")[0] != "estimate-rotation":
        check_kernel(text)


def check_photos(path: Path) -> None:
    """Refuse a photograph that cannot be read; of a folder each is looked at in its turn."""
    if not path.is_dir():
        check_image(path)


KERNEL, BLUR, PHOTOS = Reads(check_kernel), Reads(check_blur), Reads(check_photos)
KernelText = Annotated[
    str,
    KERNEL,
    typer.Option(
        help="How a point of light looks in the photograph: motion:15,30 (length in pixels, degrees counter-clockwise from the "
        "horizontal), gaussian:2.5, disk:4 (out of focus), shake:3, or a file: PNG, TIFF, NPY, MAT."
    ),
]


@command(
    app,
    "restore",
    {"--overwrite": "--force", "--summary": "--json", "--progress": "--progress-out", "--set": "--option"}
    | {"--strict": "--refuse-repair"},
    resumes=True,
)
def restore_command(
    photo: Annotated[Path, PHOTOS, typer.Argument(help="Blurred photograph (PNG, JPEG, TIFF, NPY), or a folder of them.")],
    kernel: Annotated[
        str,
        BLUR,
        typer.Option(
            help="What blurred it: a name such as motion:15,30, gaussian:2.5 or disk:4, a file (PNG, TIFF, NPY, MAT), or "
            "estimate[:SIZE] to find it in the photograph, estimate-rotation[:SIZE] where the camera may have turned as well, "
            "or a CSV file of its poses (rows,columns,degrees,weight). Rather too large a SIZE than too small."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Result: .png, .tif, .npy; a folder for a folder. Optional with --check-orientation.")
    ] = None,
    noise_std: Noise = None,
    prior: Annotated[
        str,
        MODEL,
        typer.Option(help="tv (total variation), a learned prior such as lpn:photo-deblur, or dip (untrained networks, slow)."),
    ] = "tv",
    error: Annotated[
        str,
        typer.Option(
            help="What may be wrong with the kernel. none; warp: missing pixels, turn, scale, width; kernel: each pixel a "
            "little; both; residual: a second network explains what is left (with --prior dip)."
        ),
    ] = "warp",
    weight: Annotated[
        float | None,
        typer.Option(help="Of the prior, in units of the noise; by default what the picture asks for. Larger is smoother."),
    ] = None,
    gamma: Gamma = "auto",
    range: Range = None,
    mask: Annotated[
        Path | None,
        PLANE,
        typer.Option(help="Picture or NPY file, above 0.5 where pixels are trusted; else saturated ones are left out."),
    ] = None,
    mask_out: Annotated[Path | None, typer.Option("--mask-out", help="File for the pixels that were used, in white.")] = None,
    spread: Annotated[
        int, typer.Option(min=0, help="Number of kernels for a map of spreads: how far each pixel depends on the kernel's error.")
    ] = 0,
    spread_out: Annotated[
        Path | None, typer.Option("--spread-out", help="File for the map of spreads (of 16 kernels unless --spread says).")
    ] = None,
    kernel_error: Annotated[
        str | None,
        typer.Option(
            "--kernel-error", help="What those kernels are drawn from; by default rotation:~8+scale:~0.1+smoothing:~0.5."
        ),
    ] = None,
    kernel_out: Annotated[
        Path | None,
        typer.Option("--kernel-out", help="File for the kernel that was used; of a camera that turned CSV for its poses."),
    ] = None,
    residual_out: Annotated[
        Path | None, typer.Option("--residual-out", help="File for what the given kernel leaves unexplained.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="JSON file: every number, sentence, warning and curve.")] = None,
    progress_out: Annotated[
        Path | None, typer.Option("--progress-out", help="Picture file for the current estimate, written every few seconds.")
    ] = None,
    check_orientation: Annotated[
        bool,
        typer.Option(
            "--check-orientation",
            help="Compare the kernel as given, flipped, turned and transposed by what each explains. Nothing is switched.",
        ),
    ] = False,
    orientation: Annotated[
        str, typer.Option(help="Take the kernel in another orientation of that table, e.g. turned-180 or left-right.")
    ] = "given",
    refuse_repair: Annotated[
        bool,
        typer.Option("--refuse-repair", help="Refuse a kernel that has to be repaired (even size, wrong sum, negative values)."),
    ] = False,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--option", help="Setting of the untrained networks: iterations=500, network=tiny, stop.patience=300. Repeatable."
        ),
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    gpu: Gpu = 0,
    force: Force = False,
) -> None:
    """Sharpen a photograph, or all of a folder; the result has the form and the units of the file.

    What was done and why goes to standard output, progress and warnings to standard error. Ctrl-C writes the best so far and
    exits with 130; with --prior dip the same command then goes on from there. Of a folder, what is there already is skipped, and
    what fails is told and the others go on (exit code 3 at the end).

    Examples: sciml deblurring restore shaken.jpg --kernel motion:15,30 --out sharp.png;
    sciml deblurring restore shaken.jpg --kernel estimate:25 --out sharp.png --kernel-out kernel.png;
    sciml deblurring restore turned.jpg --kernel estimate-rotation --out sharp.png --kernel-out poses.csv;
    sciml deblurring restore cells.tif --kernel psf.tif --prior lpn:photo-deblur --out sharp.tif --spread-out doubt.tif;
    sciml deblurring restore photos --kernel disk:3 --out sharp-photos
    """
    from sciml.runtime.errors import ConfigError
    from sciml.runtime.files import refuse_existing
    from sciml.stages import Interrupted, stage

    if out is None and not check_orientation:
        raise ConfigError("say with --out where the result goes")
    if out is not None and not photo.is_dir() and not Path(f"{out}.partial").exists():
        refuse_existing(out, force)
    with stage("deblurring.restore", out or photo, threads, gpu) as device:
        from sciml.deblurring.commands.job import JobSpec, Outputs, parse_dip
        from sciml.deblurring.correction.sensitivity import KERNEL_ERROR

        if spread_out is not None and spread == 0:
            spread = 16
        spec = JobSpec(
            kernel=kernel,
            noise_std=noise_std,
            prior=prior,
            error=error,
            weight=weight,
            gamma=gamma,
            value_range=range,
            mask=mask,
            spread=spread,
            kernel_error=kernel_error or KERNEL_ERROR,
            strict=refuse_repair,
            orientation=orientation,
            seed=seed,
            dip=parse_dip(options or []),
        )
        spec.check()
        if not photo.is_dir():
            from sciml.deblurring.commands.single import restore_file

            outputs = Outputs(out, kernel_out, residual_out, spread_out, mask_out, progress_out, json)
            done = restore_file(photo, outputs, spec, device, _say(), check_orientation)
        else:
            single = {"--kernel-out": kernel_out, "--residual-out": residual_out, "--spread-out": spread_out}
            single |= {"--mask-out": mask_out, "--progress-out": progress_out, "--check-orientation": check_orientation or None}
            if given := [option for option, value in single.items() if value is not None]:
                raise ConfigError(f"{photo} is a folder, and {given[0]} goes with one photograph")
            assert out is not None
            from sciml.deblurring.commands.folder import restore_folder

            done = None
            outcomes = restore_folder(photo, out, spec, device, _say(), _tell, force, json)
            stopped = any(one.interrupted for one in outcomes)
            skipped = sum(one.skipped for one in outcomes)
            typer.echo(f"{out}: {len(outcomes) - skipped} restored, {skipped} skipped")
    if done is not None:
        _tell(photo.name, done)
        stopped = done.interrupted
    if stopped:
        raise Interrupted(f"interrupted: {out} holds what was finished and the best so far; run it again to go on")


@command(app, "estimate-kernel")
def estimate_command(
    photo: Photo,
    out: Annotated[Path, typer.Option(help="Kernel: .png, .tif or .npy; with --rotation also .csv, the poses.")],
    size: Annotated[int, typer.Option(help="Odd width of the kernel; rather too large than too small.")] = 27,
    rotation: Annotated[
        bool, typer.Option("--rotation", help="The camera may have turned about its axis: kernels that vary over the photograph.")
    ] = False,
    noise_std: Noise = None,
    gamma: Gamma = "auto",
    range: Range = None,
    threads: Threads = None,
) -> None:
    """Find a rough blur kernel in the photograph itself, for those who have none. It needs sharp edges.

    Example: sciml deblurring estimate-kernel shaken.jpg --size 25 --out kernel.png;
    then sciml deblurring restore shaken.jpg --kernel kernel.png --out sharp.png
    """
    from sciml.stages import stage

    with stage("deblurring.estimate-kernel", out, threads):
        from sciml.deblurring.commands.single import estimated, write_blur
        from sciml.deblurring.files.outputs import check_outputs
        from sciml.deblurring.files.photos import read_photo

        check_outputs({"--out": out}, [photo], "--out" * rotation)
        picture = read_photo(photo, gamma, range)
        found = estimated(picture, size, noise_std, _say(), rotation=rotation)
        write_blur(out, found.kernel, found.shake, picture.size)
    for note in found.notes:
        _warn(note)
    typer.echo(f"{out}: kernel of {len(found.kernel)} x {len(found.kernel)} pixels")


@command(app, "simulate", {"--noise": "--noise-std"})
def simulate_command(
    photo: Annotated[Path, IMAGE, typer.Argument(help="Sharp photograph: PNG, JPEG, TIFF, NPY.")],
    kernel: KernelText,
    out: Annotated[Path, typer.Option(help="Blurred photograph: .png holds display values, .tif and .npy linear light.")],
    noise_std: Annotated[
        float, typer.Option("--noise-std", help="Standard deviation of the noise in linear light, from 0 to 1.")
    ] = 0.01,
    kernel_error: Annotated[
        str,
        typer.Option(
            "--kernel-error",
            help="Error of the kernel of --given-out: rotation:10, scale:0.85, smoothing:0.7, truncation:0.2, also joined by +.",
        ),
    ] = "exact",
    given_out: Annotated[
        Path | None, typer.Option("--given-out", help="File for the kernel with that error, to restore with.")
    ] = None,
    truth_out: Annotated[
        Path | None, typer.Option("--truth-out", help="File for the sharp photograph inside the frame of the blurred one.")
    ] = None,
    reduce: Annotated[int, typer.Option(min=1, help="Means over so many rows and columns come first: makes it sharp.")] = 1,
    bits: Annotated[int, typer.Option(help="8 or 16 bits of a grey PNG file.")] = 8,
    gamma: Gamma = "auto",
    range: Range = None,
    seed: Seed = 0,
    threads: Threads = None,
) -> None:
    """Blur a sharp photograph in linear light and add noise, to try the restoration where the truth is known.

    The result is smaller than the photograph by the kernel: nothing beyond its frame is made up.

    Example: sciml deblurring simulate sharp.jpg --kernel motion:15,30 --noise-std 0.01 --kernel-error rotation:10
    --out blurred.png --truth-out truth.png --given-out wrong.npy
    """
    from sciml.stages import stage

    with stage("deblurring.simulate", out, threads):
        from sciml.deblurring.study.simulation import simulate_file

        line = simulate_file(
            photo,
            kernel,
            out,
            noise_std,
            kernel_error=kernel_error,
            given_out=given_out,
            truth_out=truth_out,
            reduce=reduce,
            bits=bits,
            gamma=gamma,
            value_range=range,
            seed=seed,
        )
    typer.echo(line)


def compare_command(
    restored: Annotated[Path, IMAGE, typer.Argument(help="Restored photograph.")],
    truth: Annotated[Path, IMAGE, typer.Argument(help="True photograph of the same size.")],
    border: Annotated[int, typer.Option(min=0, help="Pixels left out at each side.")] = 0,
    kernel: Annotated[str | None, KERNEL, typer.Option(help="Kernel that was used, to be compared with --true-kernel.")] = None,
    true_kernel: Annotated[str | None, KERNEL, typer.Option("--true-kernel", help="Kernel that blurred the photograph.")] = None,
    as_stored: Annotated[
        bool, typer.Option("--as-stored", help="Compare the files' numbers; display values from 0 to 1 otherwise.")
    ] = False,
    range: Range = None,
    json: Annotated[Path | None, typer.Option(help="JSON file for the numbers.")] = None,
) -> None:
    """Compare a restored photograph with the truth: PSNR, SSIM, and PSNR at the best shift (within 5 pixels).

    A kernel that lies off its place moves the result, which plain PSNR punishes and PSNR at the best shift does not.

    Example: sciml deblurring compare sharp.png truth.png --border 10 --kernel wrong.npy --true-kernel motion:15,30
    """
    from sciml.deblurring.files.outputs import check_outputs
    from sciml.deblurring.study.simulation import evaluate_files
    from sciml.runtime.files import write_json

    check_outputs({"--json": json}, [restored, truth])
    found = evaluate_files(restored, truth, border, kernel, true_kernel, as_stored, range)
    if json is not None:
        write_json(json, found)
    down, right = found["best_shift_rows_columns"]
    rows = [
        ("PSNR", f"{found['psnr_db']:.2f} dB"),
        ("SSIM", f"{found['ssim']:.4f}"),
        ("PSNR at the best shift", f"{found['best_shift_psnr_db']:.2f} dB, moved by {down:g} rows and {right:g} columns"),
        ("PSNR unmoved, same pixels", f"{found['unshifted_psnr_db']:.2f} dB"),
    ]
    if "kernel_ncc" in found:
        rows.append(
            ("likeness of the kernels", f"{found['kernel_ncc']:.4f}, at the best shift {found['kernel_ncc_best_shift']:.4f}")
        )
        rows.append(("rms of what the kernel leaves", f"{found['kernel_blur_rms']:.4f} in linear light"))
    for name, value in rows:
        typer.echo(f"{name:32}{value}")
    typer.echo(f"{'compared':32}{found['values']}, border {border}")


command(app, "compare")(compare_command)
command(app, "evaluate", hidden=True)(compare_command)


@command(app, "kernel", {"--strict": "--refuse-repair"})
def kernel_command(
    kernel: Annotated[str, KERNEL, typer.Argument(help="Name such as motion:15,30, or a file: PNG, TIFF, NPY, MAT.")],
    out: Annotated[Path | None, typer.Option(help="File for the kernel as it is read: .png, .tif, .npy.")] = None,
    refuse_repair: Annotated[bool, typer.Option("--refuse-repair", help="Refuse a kernel that has to be repaired.")] = False,
) -> None:
    """Say what a kernel's name or file is read as, and write it.

    Example: sciml deblurring kernel motion:15,30 --out kernel.png
    """
    from sciml.deblurring.files.outputs import check_outputs, write_kernel
    from sciml.deblurring.kernels.canonical import read_kernel

    check_outputs({"--out": out}, [Path(kernel)])
    found = read_kernel(kernel, strict=refuse_repair)
    if out is not None:
        write_kernel(out, found.kernel)
    for note in found.notes:
        typer.echo(note)
    lit = int((found.kernel > 0.01 * found.kernel.max()).sum())
    size = len(found.kernel)
    typer.echo(f"{kernel}: {size} x {size} pixels, {lit} of them lit, largest {found.kernel.max():.4f} of a sum of 1")


add_report(app, "deblurring")


def _say() -> Any:
    """Return what tells a line on standard error with the time that has passed."""
    begun = time.monotonic()
    return lambda text: print(f"{time.monotonic() - begun:7.1f} s  {text}", file=sys.stderr, flush=True)


def _warn(text: str) -> None:
    print(f"sciml: warning: {text}", file=sys.stderr, flush=True)


def _tell(name: str, result: Any) -> None:
    """Print what came of one photograph: what was done, warnings, and the line of the result."""
    for sentence in result.record.get("sentences", []):
        typer.echo(sentence)
    for warning in result.record.get("warnings", []):
        _warn(warning)
    typer.echo(result.line)
