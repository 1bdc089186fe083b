"""`sciml progression check` and `prepare`: a user's own images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.options import Reads, Seed


def check_cohort(path: Path) -> None:
    """Refuse a folder that is no cohort."""
    from sciml.progression.cohorts.cohort import Cohort

    Cohort(path)


COHORT = Reads(check_cohort)
Grid = Annotated[str, typer.Option(help="4.5mm, 3mm or 1.5mm: voxels of one field of view.")]
Register = Annotated[str, typer.Option(help="affine maps every image to the MNI152 template; none takes it where it is.")]
AllowSkull = Annotated[bool, typer.Option("--allow-skull", help="Go on where the skull seems to be there.")]


def check_command(
    images: Annotated[list[Path], typer.Argument(help="T1 images of brains without skull, NIfTI or MGH.")],
    picture_out: Annotated[Path | None, typer.Option("--picture-out", help="PNG of the first image above the template.")] = None,
    grid: Grid = "4.5mm",
    register: Register = "none",
    volume: Annotated[int | None, typer.Option(min=0, help="Which volume of a file that holds several.")] = None,
    allow_skull: AllowSkull = False,
) -> None:
    """Check whether images are what the models expect; a line for every finding. Exit code 2 where one cannot be used.

    Asked are: a T1 with bright white matter, in MNI space, without skull, of a usual size, with a known orientation. In the
    picture the outline is that of the template's brain. Not for clinical use.

    Examples: sciml data export mni2009c_t1 --out scan.nii.gz;
    sciml progression check scan.nii.gz --picture-out check.png;
    sciml progression check scan.nii.gz --register affine
    """
    from sciml.runtime.errors import ConfigError, DataError
    from sciml.stages import stage

    if register not in ("none", "affine"):
        raise ConfigError(f"--register {register!r} is unknown: expected none or affine")
    with stage("progression.check", images[0], 1):
        from sciml.progression.cohorts.grids import grid_of
        from sciml.progression.scans.check_picture import write_check_picture
        from sciml.progression.scans.preparation import Reading, examine_image

        where = grid_of(grid)
        refused = []
        for image in images:
            examined = examine_image(image, where, Reading(register, allow_skull, volume))
            for finding in examined.findings:
                typer.echo(f"{image}: {finding.level}: {finding.text}")
            refused += [(image, finding) for finding in examined.errors]
            if picture_out is not None and image == images[0]:
                write_check_picture(picture_out, examined.placed, where)
            if not examined.findings:
                typer.echo(f"{image}: good")
        if refused:
            image, finding = refused[0]
            seen = f"; see {picture_out}" if picture_out is not None else "; look at it with --picture-out check.png"
            raise DataError(f"{image} cannot be used: {finding.text}{seen}")


def prepare_command(
    table: Annotated[
        Path,
        typer.Argument(help="CSV with subject, age, sex, diagnosis, image[, segmentation, split, image_uid]; or a BIDS folder."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the cohort.")],
    grid: Grid = "4.5mm",
    register: Register = "none",
    codes: Annotated[
        str, typer.Option(help="Code table of label images: synthseg, published, or a CSV of region and code.")
    ] = "synthseg",
    synthseg: Annotated[bool, typer.Option("--synthseg", help="Segment what has no label image, with mri_synthseg.")] = False,
    coding: Annotated[str, typer.Option(help="standard, or brlp-cli for sex 1/2 and diagnosis 1/2/3.")] = "standard",
    diagnosis: Annotated[str | None, typer.Option(help="CN, MCI or AD, for rows that have none.")] = None,
    split: Annotated[
        str, typer.Option(help="Shares of train, validation and test for subjects whom the table gives no split.")
    ] = "0.8,0.05,0.15",
    allow_skull: AllowSkull = False,
    seed: Seed = 0,
) -> None:
    """Make a cohort of your own images, for training and testing. Nobody is in two splits, no image is two subjects.

    Volumes come from label images (column segmentation) or from SynthSeg where it is installed; without either they stay empty.
    Not for clinical use.

    Examples: sciml progression prepare scans.csv --out cohort;
    sciml progression prepare bids/ --out cohort --register affine --synthseg
    """
    from sciml.progression.config import PrepareConfig
    from sciml.runtime.errors import ConfigError
    from sciml.runtime.settings import validated
    from sciml.stages import stage

    try:
        shares = tuple(float(part) for part in split.split(","))
    except ValueError as error:
        raise ConfigError(f"--split {split!r}: expected three shares such as 0.8,0.05,0.15") from error
    values = {
        "grid": grid, "coding": coding, "diagnosis": diagnosis, "shares": shares, "register_to": register,
        "allow_skull": allow_skull, "codes": codes, "synthseg": synthseg, "seed": seed,
    }  # fmt: skip
    config = validated(PrepareConfig, values, "prepare")
    with stage("progression.prepare", out, 1):
        from sciml.progression.cohorts.cohort import Cohort
        from sciml.progression.stages.prepare import run

        run(config, table, out)
        cohort = Cohort(out)
        counts = ", ".join(
            f"{len(cohort.subjects(name))} {name}" for name in ("train", "validation", "test") if cohort.subjects(name)
        )
        typer.echo(f"{out}: {len(cohort.visits)} scans of {len(cohort.subjects())} subjects ({counts})")
