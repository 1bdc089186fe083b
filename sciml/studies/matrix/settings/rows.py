"""The rows of the matrix: a task of `sciml.imaging`, and whether the methods know its operator exactly. Light to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Domain = Literal["photo", "scan"]


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        title: in the matrix.
        task: name in `sciml.imaging`; its default options hold but for `truth`.
        domain: photographs, or slices of CT and MR; a job solves the rows of one.
        kernel_error: what the methods' kernel is drawn from, in the words of `sciml.deblurring.perturbed`; empty: the true one.
        truth: options of the operator that measures, where the methods are told the task's own.
        most: largest height and width in pixels.
    """

    title: str
    task: str
    domain: Domain
    kernel_error: str = ""
    truth: Mapping[str, Any] = field(default_factory=dict)
    most: tuple[int, int] = (4096, 4096)

    @property
    def exact(self) -> bool:
        """Whether the methods are given the operator that measured."""
        return not self.kernel_error and not self.truth


ROWS: dict[str, Row] = {
    "denoise": Row("Denoising", "denoise", "photo"),
    "deblur": Row("Deblurring", "deblur", "photo"),
    "deblur-inexact": Row(
        "Deblurring, kernel roughly known", "deblur", "photo", kernel_error="rotation:~8+scale:~0.1+smoothing:~0.5"
    ),
    "inpaint": Row("Inpainting", "inpaint", "photo"),
    "ct-sparse": Row("Sparse-view CT", "ct-sparse", "scan"),
    "ct-inexact": Row("Sparse-view CT, angles 1 % off", "ct-sparse", "scan", truth={"range_degrees": 181.8}),
    "ct-limited": Row("Limited-angle CT", "ct-limited", "scan"),
    "mri-cs": Row("Compressed-sensing MRI", "mri-cs", "scan", most=(224, 192)),
}
"""Every row by name, in the order of the page."""


@dataclass(frozen=True)
class Column:
    """One method of the workbench that is no classical one.

    Attributes:
        title: in the matrix.
        family: whose page tells of it.
        group: the job that runs it.
    """

    title: str
    family: str
    group: str


LEARNED, EXPLICIT, PEER, STEP = "learned", "learned-explicit", "peer-residual", "peer-gradient-step"
TV_CORRECTED, LEARNED_CORRECTED, RESIDUAL = "tv-corrected", "learned-corrected", "deep-residual"
FURTHER: dict[str, Column] = {
    LEARNED: Column("learned proximal, implicit", "proximal", "learned"),
    EXPLICIT: Column("learned proximal, explicit", "proximal", "learned"),
    PEER: Column("residual network, no proximal operator", "proximal", "learned"),
    STEP: Column("gradient-step network, no proximal operator", "proximal", "learned"),
    TV_CORRECTED: Column("total variation, kernel corrected", "deblurring", "kernel"),
    LEARNED_CORRECTED: Column("learned proximal, kernel corrected", "deblurring", "kernel"),
    RESIDUAL: Column("deep residual prior", "deblurring", "kernel"),
}
"""Methods beside those of `sciml.imaging.METHODS`, in the order of the page."""

PRIOR = "prior:"
"""What the name of a column begins with where an installed prior is solved for."""

NETWORKS: dict[str, dict[str, str]] = {
    "denoise": {LEARNED: "photo-grey-guided", EXPLICIT: "photo-grey-explicit", PEER: "peer-residual", STEP: "peer-gradient-step"},
    "deblur": {LEARNED: "photo-deblur-guided", EXPLICIT: "photo-grey-explicit"},
    "inpaint": {LEARNED: "photo-grey-guided", EXPLICIT: "photo-grey-explicit"},
    "ct-sparse": {LEARNED: "ct-guided"},
    "ct-limited": {LEARNED: "ct-guided"},
    "mri-cs": {LEARNED: "mr-t1", EXPLICIT: "mr-t1-explicit"},
}
"""Shipped network by task and method."""


def rows_of(domain: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of some rows that belong to a domain, in the order of the page."""
    return tuple(name for name, row in ROWS.items() if row.domain == domain and name in names)


def networks_of(names: tuple[str, ...]) -> list[str]:
    """Return the networks that solve some rows, each once."""
    return list(dict.fromkeys(network for name in names for network in NETWORKS[ROWS[name].task].values()))
