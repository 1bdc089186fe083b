"""Regional volumes of a user's images: from label images that are there, or from SynthSeg where it is installed.

Volumes are in ml, codes counted times the volume of a voxel; left and right are summed. A code table says which codes make a
region.
"""

from __future__ import annotations

import csv
import math
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sciml.formats.nifti import Scan, read_scan
from sciml.progression.cohorts.grids import Grid
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.scans.resampling import labels_on_grid
from sciml.runtime.errors import ConfigError, DataError, FormatError, ScimlError

Codes = Mapping[str, tuple[int, ...]]

# of SynthSeg (Billot 2023), which are FreeSurfer's
SYNTHSEG: Codes = {
    "ventricle": (4, 5, 43, 44),
    "hippocampus": (17, 53),
    "amygdala": (18, 54),
    "thalamus": (10, 49),
    "grey_matter": (3, 42, 8, 47, 11, 50, 12, 51, 13, 52, 26, 58),
    "white_matter": (2, 41, 7, 46, 16, 28, 60),
    "csf": (14, 15, 24),
}
# the regions that the published networks are told
PUBLISHED: Codes = {
    "ventricle": (4, 43), "hippocampus": (17, 53), "amygdala": (18, 54), "thalamus": (10, 49), "grey_matter": (3, 42),
    "white_matter": (2, 41), "csf": (24,),
}  # fmt: skip
BUILT_IN = {"synthseg": SYNTHSEG, "published": PUBLISHED}
COMMAND = "mri_synthseg"


def code_table(name: str) -> Codes:
    """Return a code table by name, or from a CSV file with the columns region and code, one code a row.

    Raises:
        ConfigError: no such table, and no such file.
        FormatError: the file is no code table, or leaves a region out.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    path = Path(name)
    if not path.is_file():
        raise ConfigError(f"no code table is called {name!r}: choose {', '.join(BUILT_IN)}, or give a CSV file")
    found: dict[str, list[int]] = {}
    try:
        for row in csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()):
            found.setdefault(row["region"].strip(), []).append(int(row["code"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{path} is no code table: expected the columns region and code, one whole number a row") from error
    if set(found) != set(REGIONS):
        raise FormatError(f"{path} has codes for {', '.join(sorted(found)) or 'nothing'}: expected {', '.join(REGIONS)}")
    return {region: tuple(codes) for region, codes in found.items()}


def measured_volumes(scan: Scan, codes: Codes) -> tuple[float, ...]:
    """Return the volume of every region in ml, in the order of `REGIONS`.

    Args:
        scan: a label image, on its own voxels.
        codes: of each region.

    Raises:
        DataError: a region has no voxel; the message lists the codes that there are.
    """
    values, counts = np.unique(_whole(scan), return_counts=True)
    volumes = [float(counts[np.isin(values, codes[region])].sum()) * scan.voxel_ml for region in REGIONS]
    for region, volume in zip(REGIONS, volumes, strict=True):
        if volume == 0:
            present = ", ".join(str(value) for value in values if value)[:120] or "none"
            raise DataError(f"{scan.path} has no voxel of {region} (codes {codes[region]}); its codes are {present}")
    return tuple(volumes)


def unknown_codes(scan: Scan, codes: Codes) -> list[int]:
    """Return the codes of a label image that belong to no region, without 0."""
    known = {0, *(code for group in codes.values() for code in group)}
    return [int(value) for value in np.unique(_whole(scan)) if int(value) not in known]


def label_shares(scan: Scan, codes: Codes, grid: Grid, to_scan: np.ndarray | None = None) -> np.ndarray:
    """Return the share of every voxel of a grid that each region fills, (regions, *grid)."""
    return labels_on_grid(Scan(_whole(scan), scan.affine, scan.path), [codes[region] for region in REGIONS], grid, to_scan)


def _whole(scan: Scan) -> np.ndarray:
    rounded = np.rint(scan.array)
    if np.abs(scan.array - rounded).max() > 1e-3:
        raise DataError(f"{scan.path} is no label image: its values are not whole numbers")
    return rounded.astype(np.int32)


def synthseg_command() -> str | None:
    """Return the path of SynthSeg's command, or None where it is not installed."""
    return shutil.which(COMMAND)


def run_synthseg(image: Path, labels: Path, threads: int = 1) -> Scan:
    """Segment an image with SynthSeg and return its label image.

    Args:
        image: of a head or a brain.
        labels: where the label image is written.
        threads: of the command.

    Raises:
        ConfigError: it is not installed.
        ScimlError: it failed; the message has its last line.
    """
    command = synthseg_command()
    if command is None:
        raise ConfigError(
            f"{COMMAND} is not installed (it comes with FreeSurfer 7.3 and later): give label images in the column segmentation"
        )
    labels.parent.mkdir(parents=True, exist_ok=True)
    words = [command, "--i", str(image), "--o", str(labels), "--cpu", "--threads", str(threads)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode or not labels.is_file():
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
        raise ScimlError(f"{COMMAND} failed on {image} with exit code {done.returncode}: {last[0]}")
    return read_scan(labels, whole_numbers=True)


NOT_MEASURED = (math.nan,) * len(REGIONS)
"""Volumes of an image without labels."""
