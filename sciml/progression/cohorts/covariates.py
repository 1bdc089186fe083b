"""What the diffusion model is told beside the image: age, sex, diagnosis and five regional volumes, in [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from sciml.progression.cohorts.regions import CONDITIONED, DIAGNOSIS_CODES, REGIONS, SEX_CODES
from sciml.runtime.errors import DataError

if TYPE_CHECKING:
    from sciml.progression.settings.networks import FormConfig

WIDTH = 3 + len(CONDITIONED)
# the change of a covariate over some years is a small part of its range over subjects
CHANGE_FACTOR = 10.0
COLUMNS = [REGIONS.index(name) for name in CONDITIONED]


@dataclass(frozen=True)
class CovariateScale:
    """The range of the conditioned volumes over the training visits.

    Attributes:
        low: smallest volumes in ml, in the order of `CONDITIONED`.
        high: largest.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def measured(cls, volumes_ml: np.ndarray) -> Self:
        """Return the range of volumes of shape (visits, `REGIONS`).

        Raises:
            DataError: a volume is unknown everywhere or never varies.
        """
        chosen = np.asarray(volumes_ml, dtype=float)[:, COLUMNS]
        unknown = ~np.isfinite(chosen).any(axis=0)
        if unknown.any():
            raise DataError(f"no training visit has a volume of {CONDITIONED[int(np.argmax(unknown))]}; segment the images first")
        low, high = np.nanmin(chosen, axis=0), np.nanmax(chosen, axis=0)
        if np.any(high <= low):
            raise DataError(f"the volume of {CONDITIONED[int(np.argmax(high <= low))]} is the same in all training visits")
        return cls(low, high)

    def covariates(self, age_years: float, sex: str, diagnosis: str, volumes_ml: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return c: age / 100, sex (0 male, 1 female), diagnosis (0, 0.5, 1), volumes by the training range.

        Args:
            age_years: at the scan.
            sex: `M` or `F`.
            diagnosis: `CN`, `MCI` or `AD`.
            volumes_ml: in the order of `REGIONS`.

        Raises:
            DataError: a conditioned volume is unknown.
        """
        chosen = np.asarray(volumes_ml, dtype=float)[COLUMNS]
        if not np.isfinite(chosen).all():
            missing = CONDITIONED[int(np.argmin(np.isfinite(chosen)))]
            raise DataError(f"the volume of {missing} at age {age_years:g} is unknown; give a segmentation or the volume")
        scaled = (chosen - self.low) / (self.high - self.low)
        return np.array([age_years / 100, SEX_CODES[sex], DIAGNOSIS_CODES[diagnosis], *scaled], dtype=np.float32)

    def outside(self, covariates: np.ndarray, tolerance: float = 0.2) -> list[str]:
        """Return the regions whose volumes leave the training range by more than this share of it."""
        values = np.asarray(covariates)[..., 3:].reshape(-1, len(CONDITIONED))
        beyond = ((values < -tolerance) | (values > 1 + tolerance)).any(axis=0)
        return [name for name, out in zip(CONDITIONED, np.atleast_1d(beyond), strict=True) if out]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the range, by name."""
        return {"low": self.low, "high": self.high}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Return the range that `arrays` described."""
        return cls(np.asarray(arrays["low"], dtype=float), np.asarray(arrays["high"], dtype=float))


def context_width(form: FormConfig) -> int:
    """Return the length of the context vector of a form."""
    return WIDTH if form.context == "followup" else 2 * WIDTH


def context_of(form: FormConfig, start: np.ndarray, followup: np.ndarray) -> np.ndarray:
    """Return the context token of pairs: c_B, and behind it 10 (c_B - c_A) where the form wants the change.

    Args:
        form: of the diffusion model.
        start: c_A, shape (..., `WIDTH`).
        followup: c_B, same shape.
    """
    if form.context == "followup":
        return followup
    return np.concatenate([followup, CHANGE_FACTOR * (followup - start)], axis=-1)
