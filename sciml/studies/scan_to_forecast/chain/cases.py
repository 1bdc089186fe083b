"""Who is scanned: a real head, or simulated subjects whose later volumes are known."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nibabel
import numpy as np
from jaxtyping import Float

from sciml.datasets import local_path
from sciml.formats.nifti import read_scan
from sciml.progression import Cohort, SimulateConfig, simulate_cohort
from sciml.runtime.errors import DataError
from sciml.runtime.files import digest_bytes
from sciml.studies.scan_to_forecast.chain.levels import to_levels, to_magnitudes
from sciml.studies.scan_to_forecast.chain.records import Case, Question
from sciml.studies.scan_to_forecast.config import HEAD_DATA, WhoConfig

BRIGHTEST = 99.9
"""Percentile of the magnitudes that becomes 1; what is brighter is cut."""
Volume = Float[np.ndarray, "slices rows columns"]


def head_case(config: WhoConfig, scan: Path | None) -> tuple[dict[str, Case], dict[str, Volume]]:
    """Return a head and its magnitudes from 0 to 1 in 16 bits, axial slices from foot to head, rows from back to front.

    Args:
        config: who it is, and what is asked.
        scan: T1; Colin27 by default.

    Raises:
        DataError: the file cannot be read, or is empty of signal.
    """
    path = scan or local_path(HEAD_DATA)
    found = read_scan(path)
    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(np.asarray(found.array, np.float32), found.affine))
    array, affine = np.asarray(image.dataobj, np.float32), np.asarray(image.affine)
    if config.reduction > 1:
        array, affine = reduced(array, affine, config.reduction)
    volume = np.ascontiguousarray(array.transpose(2, 1, 0))
    top = float(np.percentile(volume, BRIGHTEST))
    if not (np.isfinite(volume).all() and top > 0):
        raise DataError(f"{path} holds no signal, or values that are not finite")
    volume = to_magnitudes(to_levels(np.clip(volume / top, 0, 1)))
    case = Case(
        split="test",
        affine=affine.tolist(),
        age_years=config.age_years,
        sex=config.sex,
        diagnosis=config.diagnoses[0],
        truth_ml=None,
        questions=[
            Question(diagnosis=one, years=years, truth_ml=None) for one in config.diagnoses for years in config.years_ahead
        ],
        digest=digest_of(volume),
    )
    return {"head": case}, {"head": volume}


def reduced(array: np.ndarray, affine: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Return means over cubes of voxels, and where they are; what is left over at the far ends is cut off.

    Args:
        array: (x, y, z).
        affine: (4, 4), voxels to mm.
        factor: voxels along an edge of a cube.
    """
    shape = [side // factor for side in array.shape]
    cubes = array[tuple(slice(side * factor) for side in shape)]
    means = cubes.reshape(shape[0], factor, shape[1], factor, shape[2], factor).mean((1, 3, 5))
    place = affine @ np.diag([factor, factor, factor, 1.0])
    # the middle of the first cube
    place[:3, 3] = (affine @ np.array([(factor - 1) / 2] * 3 + [1.0]))[:3]
    return means, place


def simulated_cases(config: SimulateConfig) -> tuple[dict[str, Case], dict[str, Volume], dict[str, np.ndarray]]:
    """Return simulated subjects at their first visit, without noise, what is asked: the volumes of their later visits; and masks.

    They have no skull, by which a brain is found in a scan full of noise: the masks of their brains are known to the preparation.

    Args:
        config: of the cohort, which comes from the cache where it was simulated before.
    """
    with tempfile.TemporaryDirectory() as folder:
        simulate_cohort(config, Path(folder) / "cohort")
        return _first_visits(Cohort(Path(folder) / "cohort"))


def _first_visits(cohort: Cohort) -> tuple[dict[str, Case], dict[str, Volume], dict[str, np.ndarray]]:
    cases, volumes, masks = {}, {}, {}
    for name, visits in cohort.subjects().items():
        first = visits[0]
        if first.split not in ("validation", "test"):
            continue
        volume = np.ascontiguousarray(cohort.clean(first)[0].transpose(2, 1, 0), np.float32)
        volumes[name] = to_magnitudes(to_levels(np.clip(volume / volume.max(), 0, 1)))
        masks[name] = np.ascontiguousarray(cohort.mask(first)[0].transpose(2, 1, 0), np.uint8)
        cases[name] = Case(
            split=first.split,
            affine=cohort.affine.tolist(),
            age_years=first.age_years,
            sex=first.sex,
            diagnosis=first.diagnosis,
            truth_ml=list(first.volumes_ml),
            questions=[
                Question(diagnosis=first.diagnosis, years=one.age_years - first.age_years, truth_ml=list(one.volumes_ml))
                for one in visits[1:]
            ],
            digest=digest_of(volumes[name]),
        )
    return cases, volumes, masks


def digest_of(volume: Volume) -> str:
    """Return the SHA-256 of a volume's values."""
    return digest_bytes(np.ascontiguousarray(volume, np.float32).tobytes())
