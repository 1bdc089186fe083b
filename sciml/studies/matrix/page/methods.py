"""The methods text of the matrix: one paragraph a stage, with the parameters of what really ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sciml.imaging.tasks.catalogue import METHODS
from sciml.report.methods import Paragraph
from sciml.report.words import counted, sequence
from sciml.studies.matrix.settings.rows import ROWS


def _rows(parameters: Mapping[str, Any]) -> str:
    return sequence([ROWS[name].title for name in parameters["rows"]], "; ")


def _trials(parameters: Mapping[str, Any]) -> str:
    size = parameters["size"]
    return (
        f"up to {counted(parameters['cases'], 'case')} of at most {size} x {size} pixels a row, each with "
        f"{counted(parameters['seeds'], 'noise seed')}"
    )


def _classical_text(parameters: Mapping[str, Any]) -> str:
    methods = [METHODS[name].title if name in METHODS else f"proximal gradients, {name}" for name in parameters["methods"]]
    return (
        f"{_rows(parameters)}: {sequence(methods)} ran where they apply, on {_trials(parameters)}. The one parameter of "
        f"each was found on {counted(parameters['validation_images'], 'picture')} of the validation role, other "
        "photographs and persons, by its PSNR; where the operator is only roughly known the validation pictures share "
        "one drawn error."
    )


def _learned_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"{_rows(parameters)}: the shipped learned proximal networks [@fang2024] {sequence(parameters['networks'])} ran "
        f"at their defaults to a relative residual of {parameters['tolerance']:g}, on {_trials(parameters)}. A result is "
        "certified where a critical point of the objective is proved and the residual was met."
    )


def _kernel_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"{_rows(parameters)}: the kernel was corrected with total variation and with a learned prior, and explained by a "
        f"deep residual prior of at most {parameters['dip_iterations']} steps [@tang2023], at their defaults, on "
        f"{_trials(parameters)}."
    )


def _compare_text(parameters: Mapping[str, Any]) -> str:
    return (
        "Values of one case were averaged over its noise seeds, those of one subject over its cases. The leader of a row "
        "was compared with every other method by the two-sided Wilcoxon signed-rank test over subjects [@wilcoxon1945], "
        "exact up to 50 without ties, with Holm's correction over the row [@holm1979]; a winner is marked where all are "
        "rejected at 5 %. Intervals are a bootstrap over subjects [@efron1979]. Times are medians of processor seconds "
        "of one process with one thread; memory is the median growth of that process's resident set at its peak."
    )


PARAGRAPHS: dict[str, Paragraph] = {
    "matrix.classical": _classical_text,
    "matrix.learned": _learned_text,
    "matrix.kernel": _kernel_text,
    "matrix.compare": _compare_text,
}
