"""`sciml compression train|evaluate`: models from a user's own pictures, and parts of the study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sciml.options import FOLDER, MODEL, Force, Gpu, Jobs, MasterSeed, Set, Threads, Tier, finished, study_settings

# whose settings a model of a kind takes
BASES = {"pictures": "photo", "slices": "mr", "fields": "field"}


def train_command(
    folder: Annotated[
        Path,
        FOLDER,
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
    range: Annotated[
        tuple[float, float] | None,
        typer.Option("--range", help="LOW HIGH of slices: the values that are black and white, e.g. -160 240 Hounsfield units."),
    ] = None,
    neighbours: Annotated[
        int, typer.Option(help="Of slices of volumes: how many go into one file, 1, 2, 4 or 8; their likeness saves bits.")
    ] = 1,
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
    seed: MasterSeed = None,
    threads: Threads = None,
    gpu: Gpu = 0,
    force: Force = False,
) -> None:
    """Learn a model of your own pictures, slices or fields: rules and tables first, then the network.

    A stopped command goes on where it stopped. With tier cpu: a quarter of an hour for the rules of all rates, one to two hours
    for the network.

    Examples: sciml compression train scans/ --out scans-model --name scans --grey;
    sciml compression encode scans/1.png 1.nic --model scans-model/train/model.safetensors;
    sciml compression train heads/ --kind slices --neighbours 4 --range -160 240 --out ct --name ct;
    sciml compression train runs/ --kind fields --variables vorticity --periodic --out flow --name flow
    """
    from sciml.runtime.errors import ConfigError
    from sciml.runtime.files import refuse_existing
    from sciml.stages import stage

    settings, window = study_settings(tier, overrides, seed), checked_range(range)
    if kind not in BASES:
        raise ConfigError(f"--kind {kind}: expected {', '.join(BASES)}")
    last = "train" if (kind == "pictures" if network is None else network) else "fit"
    refuse_existing(out / last / "model.safetensors", force)
    with stage("compression.train", out, threads, gpu) as device:
        from sciml.compression.fitting.pools import FOLDER as PREFIX
        from sciml.compression.settings.stages import FitConfig
        from sciml.compression.stages import fit, train

        own: dict[str, Any] = {"domain": name, "experiment": f"{PREFIX}{folder.resolve()}"}
        own |= {"window": window, "begin": None, "periodic": periodic}
        own["channels"] = neighbours if kind == "slices" else 1 if grey or kind == "fields" else 3
        if variables is not None:
            own["variables"] = tuple(one.strip() for one in variables.split(","))
        base = settings.compression.fit_config(settings, BASES[kind])
        base = FitConfig.model_validate(base.model_dump() | own)
        fitted = out / "fit" / "model.safetensors"
        if not finished(out / "fit", base, force):
            fit.run(base, out / "fit")
        if last == "train":
            config = settings.compression.train_config(settings, "photo").model_copy(update={"domain": name, "data": base})
            train.run(config, fitted, out / "train", device)
    typer.echo(out / last / "model.safetensors")


def checked_range(given: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the values that are black and white (ConfigError: the lower is not first)."""
    from sciml.runtime.errors import ConfigError

    if given is not None and not given[0] < given[1]:
        raise ConfigError(f"--range {given[0]:g} {given[1]:g}: expected the lower number first")
    return given


def evaluate_command(
    out: Annotated[Path, typer.Option(help="Folder for bench.json and bench.csv.")],
    model: Annotated[Path | None, MODEL, typer.Option(help="Model file; the shipped photo model without one.")] = None,
    tier: Tier = "demo",
    overrides: Set = None,
    seed: MasterSeed = None,
    jobs: Jobs = None,
) -> None:
    """Compare a model with the classical codecs on the test photographs; `bench` takes pictures of your own.

    Example: sciml compression evaluate --model mine/train/model.safetensors --out mine/evaluate
    """
    from sciml.runtime.errors import ConfigError
    from sciml.stages import stage

    settings = study_settings(tier, overrides, seed)
    with stage("compression.evaluate", out, 1, 0):
        from sciml.compression.codecs.model_files import shipped
        from sciml.compression.stages.evaluate import run

        path = model or shipped().get("photo")
        if path is None:
            raise ConfigError("no model is shipped: give one with --model")
        written = run(settings.compression.evaluate_config(settings, "photo"), path, out, jobs or 1)
    typer.echo(written[0])
