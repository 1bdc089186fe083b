"""`sciml compression train|evaluate|report`: models from a user's own pictures, and parts of the study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Tier = Annotated[str, typer.Option(help="Sizes: ci, demo, cpu, gpu, or the path of a YAML file.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override one setting, e.g. compression.networks.photo.steps=500.")]
Threads = Annotated[int | None, typer.Option(help="Computing threads.")]
Gpu = Annotated[int, typer.Option(min=0, help="Number of cards to claim; 0 computes on the CPU.")]


# whose settings a model of a kind takes
BASES = {"pictures": "photo", "slices": "mr", "fields": "field"}


def train_command(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder of pictures, slices or fields, searched with all below it; every sixth file validates."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the results; OUT/train/model.safetensors is the model.")],
    name: Annotated[str, typer.Option(help="Name of the model.")] = "mine",
    grey: Annotated[bool, typer.Option("--grey", help="A model of grey pictures; colour pictures are left out.")] = False,
    kind: Annotated[
        str,
        typer.Option(
            help="pictures of 8 bits; slices: volumes and slices (DICOM, NIfTI, TIFF, NPY, PNG) as windowed 16 bits; fields: "
            "simulated fields (Zarr, NetCDF, NPY) as floats in their own units."
        ),
    ] = "pictures",
    window: Annotated[
        str | None,
        typer.Option(help="LOW,HIGH of slices: the values that are black and white, e.g. --window=-160,240 in Hounsfield units."),
    ] = None,
    variables: Annotated[
        str | None, typer.Option(help="Of fields: names, joined by commas; each is a picture of its own.")
    ] = None,
    periodic: Annotated[bool, typer.Option("--periodic", help="Fields go on at the other side of their borders.")] = False,
    network: Annotated[
        bool | None,
        typer.Option(help="Train the network behind the decoder too, which takes longest; pictures alone by default."),
    ] = None,
    tier: Tier = "cpu",
    overrides: Set = None,
    threads: Threads = None,
    gpu: Gpu = 0,
) -> None:
    """Learn a model of your own pictures, slices or fields: rules and tables first, then the network.

    A stopped command goes on where it stopped. With tier cpu: ten minutes for the rules of all rates, an hour for the network.

    Examples: sciml compression train scans/ --out scans-model --name scans --grey;
    sciml compression encode scans/1.png 1.nic --model scans-model/train/model.safetensors;
    sciml compression train heads/ --kind slices --window=-160,240 --out ct --name ct;
    sciml compression train runs/ --kind fields --variables vorticity --periodic --out flow --name flow
    """
    from sciml.settings import load
    from sciml.stages import stage

    with stage("compression.train", out, threads, gpu) as device:
        from sciml.compression.config import FitConfig
        from sciml.compression.fitting.pools import FOLDER
        from sciml.compression.stages import fit, train
        from sciml.runtime.errors import ConfigError

        if not folder.is_dir():
            raise ConfigError(f"{folder} is no folder: give one with pictures")
        settings = load(tier, overrides or ())
        if kind not in BASES:
            raise ConfigError(f"--kind {kind}: expected {', '.join(BASES)}")
        own: dict[str, Any] = {"domain": name, "experiment": f"{FOLDER}{folder.resolve()}"}
        own |= {"window": parse_window(window), "begin": None, "periodic": periodic}
        own["channels"] = 1 if grey or kind != "pictures" else 3
        if variables is not None:
            own["variables"] = tuple(one.strip() for one in variables.split(","))
        base = settings.compression.fit_config(settings, BASES[kind])
        base = FitConfig.model_validate(base.model_dump() | own)
        written = fit.run(base, out / "fit")
        if network if network is not None else kind == "pictures":
            config = settings.compression.train_config(settings, "photo").model_copy(update={"domain": name, "data": base})
            written = train.run(config, written[0], out / "train", device)
    typer.echo(written[0])


def parse_window(text: str | None) -> tuple[float, float] | None:
    """Return the two numbers of `LOW,HIGH`, the lower first.

    Raises:
        ConfigError: another text, or numbers in another order.
    """
    from sciml.runtime.errors import ConfigError

    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--window {text}: expected two numbers with a comma between, such as --window=-160,240") from None
    if not low < high:
        raise ConfigError(f"--window {text}: expected the lower number first")
    return low, high


def evaluate_command(
    out: Annotated[Path, typer.Option(help="Folder for bench.json and bench.csv.")],
    model: Annotated[Path | None, typer.Option(help="Model file; the shipped photo model without one.")] = None,
    tier: Tier = "demo",
    overrides: Set = None,
    threads: Threads = None,
) -> None:
    """Compare a model with the classical codecs on the test photographs; `bench` takes pictures of your own.

    Example: sciml compression evaluate --model mine/train/model.safetensors --out mine/evaluate
    """
    from sciml.settings import load
    from sciml.stages import stage

    with stage("compression.evaluate", out, 1, 0):
        from sciml.compression.codecs.model_files import shipped
        from sciml.compression.stages.evaluate import run
        from sciml.runtime.errors import ConfigError

        path = model or shipped().get("photo")
        if path is None:
            raise ConfigError("no model is shipped: give one with --model")
        settings = load(tier, overrides or ())
        written = run(settings.compression.evaluate_config(settings, "photo"), path, out, threads or 1)
    typer.echo(written[0])


def report_command(
    results: Annotated[Path, typer.Argument(help="Results folder of the study, e.g. results/demo/compression.")],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("compression.html"),
    tier: Tier = "demo",
    overrides: Set = None,
) -> None:
    """Write the page of a study from its results."""
    from sciml.settings import load
    from sciml.stages import stage

    with stage("compression.report", out):
        from sciml.compression.stages.report import run

        settings = load(tier, overrides or ())
        run(settings.compression.report_config(settings), results, out)
    typer.echo(out)
