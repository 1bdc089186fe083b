"""What studies say of the rates that the simulation ages subjects with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quoted:
    """A rate as a study states it.

    Attributes:
        region: of the brain.
        diagnosis: `CN`, `MCI` or `AD`.
        percent: change of the volume, % a year, as printed; a loss is negative.
        reference: key in `references.bib`.
        interval: of 95 %, % a year, as printed.
        words: of whom, where the study parts a diagnosis; and that it is approximate.
        basis: whether the simulation's rate rests on it; else it is another study's number for the same subjects.
    """

    region: str
    diagnosis: str
    percent: float
    reference: str
    interval: tuple[float, float] | None = None
    words: str = ""
    basis: bool = True

    @property
    def name(self) -> str:
        """The region and the subjects, in words."""
        return f"{self.region.replace('_', ' ')} {self.people}"

    @property
    def people(self) -> str:
        """The diagnosis and what the study says of it."""
        return f"{self.diagnosis}{f' ({self.words})' if self.words else ''}"


QUOTED = (
    Quoted("hippocampus", "CN", -1.41, "barnes2009", (-2.30, -0.52)),
    Quoted("hippocampus", "MCI", -2.55, "jack2000", words="who stayed stable"),
    Quoted("hippocampus", "AD", -4.66, "barnes2009", (-5.40, -3.92)),
    Quoted("hippocampus", "CN", -1.73, "jack2000", words="who stayed stable", basis=False),
    Quoted("hippocampus", "AD", -3.5, "jack2000", basis=False),
    Quoted("grey_matter", "CN", -0.5, "fjell2009", words="cortex, about"),
)
