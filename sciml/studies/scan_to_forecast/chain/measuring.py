"""From a volume to regional volumes and their forecast: registered, without skull, segmented, then the course."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import nibabel
import numpy as np
from jaxtyping import Float

from sciml.progression import FlowForecaster, PreparedScan, prepare_scan
from sciml.runtime.errors import DataError, NumericalError
from sciml.runtime.files import load_tensors
from sciml.studies.scan_to_forecast.chain.cases import Volume
from sciml.studies.scan_to_forecast.chain.records import Answer, Case

MODEL = "mni-motion"
COURSE = "linear_population"
"""The regression on volumes of one visit holds for subjects like those it has learned from, a population's course for all."""
PATH = re.compile(r"\S*scan\.nii\b:?")
DIM = 0.05
"""What is darker is no head: quality is judged within it."""


def measured(volume: Volume, case: Case, mask: np.ndarray | None = None) -> tuple[PreparedScan | None, str | None]:
    """Return a volume made ready for forecasts, or why it cannot be.

    Args:
        volume: axial slices.
        case: whose it is.
        mask: its brain, where it is known; else a skull is looked for and removed.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("scan.nii", "brain.nii")]
        for path, array in zip(paths, (volume, mask), strict=True):
            if array is not None:
                slices = np.ascontiguousarray(array.transpose(2, 1, 0))
                nibabel.save(nibabel.Nifti1Image(slices, np.array(case.affine)), path)
        try:
            return prepare_scan(paths[0], brain_mask=None if mask is None else paths[1]), None
        except (DataError, NumericalError) as error:
            # without the temporary file's name: equal runs write equal bytes
            return None, PATH.sub("the scan", str(error))


def answers(scan: PreparedScan, case: Case, forecaster: FlowForecaster, seed: int) -> list[Answer]:
    """Return the volumes that are expected at the times that a case is asked about, in ml in the space of the scan."""
    visit = scan.visit(case.age_years, case.sex, case.diagnosis)
    found = []
    for one in case.questions:
        forecast = forecaster.volumes([visit], [case.age_years + one.years], diagnosis=one.diagnosis, seed=seed)
        ends = {name: (scan.size * getattr(forecast, name)[0]).tolist() for name in ("volumes_ml", "low_ml", "high_ml")}
        found.append(Answer(diagnosis=one.diagnosis, years=one.years, **ends))
    return found


def psnr_in_head(volume: Volume, truth: Volume) -> float | None:
    """Return the PSNR in dB over the voxels of the head, data range 1; None where nothing differs by more than rounding."""
    error = float(np.mean(np.square(volume.astype(np.float64) - truth, dtype=np.float64), where=truth > DIM))
    return None if error < 1e-12 else -10 * float(np.log10(error))


def from_the_same_scans(path: Path, cases: dict[str, Case]) -> tuple[dict[str, np.ndarray], dict]:
    """Return the tensors of a link and their metadata.

    Raises:
        DataError: they were made from other scans than these.
    """
    tensors, metadata = load_tensors(path)
    digests = {name: case.digest for name, case in cases.items()}
    if metadata.get("scans") != digests:
        raise DataError(f"{path} was made from other scans than these cases: run its link again")
    return tensors, metadata


def check_owner(name: str, volume: Volume, truths: dict[str, Float[np.ndarray, ...]]) -> None:
    """Refuse a volume that is nearer to the scan of another case than to its own.

    Raises:
        DataError: the message names both.
    """
    like = {other: float(np.mean(np.square(volume - truth))) for other, truth in truths.items() if truth.shape == volume.shape}
    if not like or (nearest := min(like, key=like.__getitem__)) != name:
        raise DataError(f"the volume of {name} is not the one of {name}: it is nearest to {nearest if like else 'none'}")
