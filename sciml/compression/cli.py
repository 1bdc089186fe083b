"""`sciml compression`: pictures to small `.nic` files and back, what is in them, and how other codecs compare."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sciml.compression.commands.bench import bench_command
from sciml.compression.commands.study import evaluate_command, train_command
from sciml.options import MODEL, PLANE, Force, Jobs, add_report, command

app = typer.Typer(
    help="Code pictures into small `.nic` files with a learned model, and decode them to the same codes on every machine. "
    "`encode` and `decode` take files, folders and patterns; `info` and `verify` look into what was made.",
    no_args_is_help=True,
)
command(app, "bench")(bench_command)
command(app, "train", {"--window": "--range"}, resumes=True)(train_command)
command(app, "evaluate", {"--threads": "--jobs"})(evaluate_command)
add_report(app, "compression")

WIDTH = 110
MOST_PIXELS = 2**27

MaxPixels = Annotated[
    int, typer.Option("--max-pixels", min=1, help="Files that claim more pixels are refused before anything is decoded.")
]
MaxTiles = Annotated[
    int | None,
    typer.Option(
        "--max-tiles",
        min=1,
        help="Files of so many tiles are decoded however small they are; by default 512, and one more for every 65,536 pixels.",
    ),
]
NicFiles = Annotated[list[str], typer.Argument(metavar="FILE", help=".nic files, folders of them, patterns in quotes.")]
ModelFile = Annotated[
    str | None,
    MODEL,
    typer.Option(
        help="Shipped model or model file that the files were coded with; by default the shipped one that a file's id names. "
        "A file says an id, never a path."
    ),
]


@command(app, "encode", {"--window": "--range", "--strict": "--refuse-loss"}, resumes=True)
def encode_command(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN", help="Pictures, folders of them, patterns in quotes; - is standard input.")
    ],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A .nic file for one picture, else a folder, made if need be; - is standard output."),
    ],
    model: Annotated[str, MODEL, typer.Option(help="Name of a shipped model, or a model file.")] = "photo",
    quality: Annotated[
        float | None, typer.Option(min=1, max=100, help="1 (smallest) to 100 (nearest to the original); 50 by default.")
    ] = None,
    bpp: Annotated[float | None, typer.Option(help="Bits of the whole file a pixel, met from below within 0.5 %.")] = None,
    max_bytes: Annotated[
        int | None, typer.Option("--max-bytes", min=1, help="Largest file, met from below within 0.5 %.")
    ] = None,
    psnr: Annotated[float | None, typer.Option(help="Least PSNR of the decoded picture in dB, met from above.")] = None,
    max_error: Annotated[
        float | None,
        typer.Option(
            "--max-error",
            min=0,
            help="Largest error of any sample, in levels or in the field's unit; 0: no loss. Coded with the model lossless, "
            "whatever --model says.",
        ),
    ] = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="The same as --max-error 0.")] = False,
    roi: Annotated[
        Path | None,
        PLANE,
        typer.Option(
            help="Grey picture of the same size: where it is black care is as usual, where it is white an error may cost 8 times "
            "the bits, in between 8^(grey / white) times. For one picture."
        ),
    ] = None,
    tiles: Annotated[
        str,
        typer.Option(help="auto: tiles of 1024 pixels above 4 megapixels; off; or their side, 16 to 2048. Tiles leave no seam."),
    ] = "auto",
    effort: Annotated[
        int,
        typer.Option(
            min=0,
            max=20,
            help="How often symbols are chosen anew for what the decoder's network makes of them; each time takes as long as "
            "coding and decoding. The first brings most of the gain.",
        ),
    ] = 1,
    tune: Annotated[
        str,
        typer.Option(help="psnr: least squared error; ms-ssim: more error where the picture is busy, less where it is smooth."),
    ] = "psnr",
    strong: Annotated[bool, typer.Option("--strong", help="Checksums of 32 bits on every layer, instead of 16.")] = False,
    keep_icc: Annotated[
        bool,
        typer.Option("--keep-icc", help="Keep colours in the picture's ICC profile, and the profile; else they become sRGB."),
    ] = False,
    range: Annotated[
        tuple[float, float] | None,
        typer.Option(
            "--range",
            help="LOW HIGH: values that are black and white; others are cut. Floats need it with models of pictures; it also "
            "suits 12 bits stored in 16: 0 4095. Decoding gives the values back.",
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            help="Which picture of a larger file: axial=90 (coronal=, sagittal=) of a NIfTI volume, or neighbours together, "
            "axial=88:92, as the models mr and ct take four; vorticity,time=3 of NetCDF "
            "or Zarr; places count from 0, -1 is the last."
        ),
    ] = None,
    max_pixels: MaxPixels = MOST_PIXELS,
    jobs: Jobs = None,
    force: Force = False,
    refuse_loss: Annotated[
        bool, typer.Option("--refuse-loss", help="Refuse pictures of which a part would be lost: further frames, CMYK, rounding.")
    ] = False,
    report_psnr: Annotated[
        bool, typer.Option("--report-psnr", help="Decode each file again and say the PSNR of its picture.")
    ] = False,
) -> None:
    """Code pictures into .nic files: PNG, JPEG, TIFF, WebP, AVIF, JPEG XL, JPEG 2000, BMP, GIF, PPM, NPY, DICOM,
    and one slice or field of NIfTI, NetCDF and Zarr.

    Grey stays grey, alpha is kept without loss, 8 and 16 bits stay 8 and 16 bits, floats come back as floats in their own values.
    Palettes become colours, CMYK becomes RGB, EXIF turns are applied, colour profiles are converted to sRGB (more than 8 bits
    keep theirs), of an animation the first frame is taken; each is told on standard error. Say at most one of --quality,
    --bpp, --max-bytes, --psnr, --max-error and --lossless.

    A folder or pattern keeps its tree below OUT. Files are written whole or not at all, and none is replaced without --force, not
    even by another process that works on the same folder: what is there in a folder is skipped. Of several pictures what fails is
    named and the others go on (exit code 3). A line a file goes to standard output, to standard error where that is the file's.
    Where a model cannot come near a target for a picture, the nearest file is written, told of, and the exit code is 3.

    Examples: sciml compression encode photo.jpg photo.nic;
    sciml compression encode photo.jpg photo.nic --bpp 0.2 --report-psnr;
    sciml compression encode photos "more/**/*.png" coded --quality 30 --jobs 4;
    sciml compression encode scan.png scan.nic --lossless;
    sciml compression encode portrait.png portrait.nic --max-bytes 20000 --roi face.png;
    sciml compression encode slice.dcm slice.nic --model ct --range -160 240;
    sciml compression encode head.nii.gz slices.nic --model mr --part axial=88:92 --range 0 4000;
    sciml compression encode run.zarr flow.nic --model field --part vorticity,time=-1 --bpp 1.6
    """
    from sciml.compression.commands.encode import EncodeOrder, encode_files
    from sciml.runtime.errors import ConfigError

    if lossless and max_error:
        raise ConfigError(f"--lossless and --max-error {max_error:g} were given: choose one")
    order = EncodeOrder(
        model=model,
        quality=quality,
        bpp=bpp,
        max_bytes=max_bytes,
        psnr=psnr,
        max_error=0 if lossless else max_error,
        roi=roi,
        tiles=tiles,
        effort=effort,
        tune=tune,
        strong=strong,
        keep_icc=keep_icc,
        range=range,
        part=part,
        max_pixels=max_pixels,
        force=force,
        refuse_loss=refuse_loss,
        report_psnr=report_psnr,
    )
    encode_files(inputs, out, order, typer.echo, jobs)


@command(app, "decode", resumes=True)
def decode_command(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN", help=".nic files, folders of them, patterns in quotes; - is standard input.")
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="A .png, .tif, .npy, .nc, .nii, .webp or .jpg file for one picture, else a folder, made if need be; - is "
            "standard output.",
        ),
    ],
    model: ModelFile = None,
    layers: Annotated[
        int | None, typer.Option(min=1, help="Decode the first so many layers only, 4 being usual: a coarser picture, faster.")
    ] = None,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Of a damaged or cut file write what is intact, say what is not, exit with 3.")
    ] = False,
    no_refine: Annotated[
        bool, typer.Option("--no-refine", help="Leave out the network behind the decoder: faster, a little worse.")
    ] = False,
    max_pixels: MaxPixels = MOST_PIXELS,
    max_tiles: MaxTiles = None,
    jobs: Jobs = None,
    force: Force = False,
) -> None:
    """Decode .nic files to pictures: PNG (8 or 16 bits), TIFF and NPY, which lose nothing more, and NetCDF for floats with a
    unit; WebP (8 bits, lossless), NIfTI (one channel, float32), and JPEG of quality 95, which loses a little more.

    In a folder and on standard output whole numbers become .png and floats .npy. A file names its model by an id; with an
    unknown one it is refused, and the message names the id and those that are known: no other model is tried.

    Examples: sciml compression decode photo.nic photo.png;
    sciml compression decode coded decoded --jobs 4;
    sciml compression decode photo.nic coarse.png --layers 2;
    sciml compression decode - - < photo.nic > photo.png;
    sciml compression decode broken.nic rest.png --salvage;
    sciml compression decode flow.nic flow.npy --model my-model.safetensors
    """
    from sciml.compression.commands.decode import DecodeOrder, decode_files

    order = DecodeOrder(model, layers, salvage, not no_refine, max_pixels, force, max_tiles)
    decode_files(inputs, out, order, typer.echo, jobs)


@command(app, "info", {"--json": "-"})
def info_command(
    files: NicFiles,
    json: Annotated[Path | None, typer.Option("--json", help="JSON file for a list, one object a file; - prints it.")] = None,
) -> None:
    """Say what .nic files hold: size, samples, model, quality, tiles, bytes of each layer, checksums. No model is needed.

    Layers go from coarse to fine: `decode --layers` shows what each adds. Damaged payloads are named, `decode --salvage` leaves
    them out.

    Examples: sciml compression info photo.nic;
    sciml compression info coded --json coded.json
    """
    from rich.console import Console

    from sciml.compression.commands.info import describe_files, tables
    from sciml.runtime.errors import PartialResult
    from sciml.runtime.files import write_json

    found, failed = describe_files(files)
    if json is not None and str(json) != "-":
        write_json(json, found)
    elif json is not None:
        from json import dumps

        typer.echo(dumps(found, indent=2))
    else:
        console = Console(width=None if sys.stdout.isatty() else WIDTH)
        for facts in found:
            for table in tables(facts):
                console.print(table)
    if failed:
        raise PartialResult(f"{len(failed)} of {len(failed) + len(found)} files are not told of: {'; '.join(failed)}")


@command(app, "verify")
def verify_command(
    files: NicFiles,
    model: ModelFile = None,
    max_pixels: MaxPixels = MOST_PIXELS,
    max_tiles: MaxTiles = None,
    jobs: Jobs = None,
) -> None:
    """Check .nic files: every checksum, then the codes that they decode to. Exits with 0 where all are good, else with 2.

    Examples: sciml compression verify photo.nic;
    sciml compression verify archive --jobs 4
    """
    from sciml.compression.commands.decode import verify_files

    verify_files(files, model, max_pixels, typer.echo, jobs, max_tiles)


@command(app, "selftest")
def selftest_command(
    models: Annotated[
        list[str] | None,
        MODEL,
        typer.Option("--model", help="Shipped model or model file; all shipped ones by default. Repeatable."),
    ] = None,
) -> None:
    """Show that this machine codes and decodes as it should: every model on a small built-in picture.

    Files that were coded where a model was published have to give the same codes here, bit for bit, and the same picture within
    0.05 dB. A model without such files is said to have no reference. Exits with 1 where something differs.

    Example: sciml compression selftest
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sciml.compression.study.selftest import machine, selftest
    from sciml.runtime.errors import ScimlError

    checks = selftest(models or ())
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    table = Table("model", "check", "verdict", "found")
    for check in checks:
        style = {"pass": "green", "FAIL": "red"}.get(check.verdict, "yellow")
        table.add_row(Text(check.model), check.name, Text(check.verdict, style), Text(check.detail))
    console.print(table)
    for name, value in machine().items():
        typer.echo(f"{name:12} {value}")
    if failed := [check for check in checks if check.verdict == "FAIL"]:
        raise ScimlError(f"{len(failed)} of {len(checks)} checks failed, the first: {failed[0].model}, {failed[0].name}")
