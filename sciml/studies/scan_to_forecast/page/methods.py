"""The methods text of the study: one paragraph a stage, with the parameters of what really ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sciml.report.methods import Paragraph
from sciml.report.words import counted, percent


def _cases_text(parameters: Mapping[str, Any]) -> str:
    if (cohort := parameters["cohort"]) is not None:
        counts = ", ".join(f"{count} {split}" for split, count in cohort["subjects"].items())
        return (
            f"Simulated subjects ({counts}) on a grid of {cohort['grid']}: the MNI152 anatomy [@fonov2009], deformed and aged by "
            "flows with prescribed volumes. Their first visits, without noise, were scanned; the volumes of their later visits "
            "were asked for."
        )
    who = parameters["head"]
    name = "A scan of the user" if who["scan"] else "The T1 of Colin27 [@holmes1998]"
    cubes = f", means over cubes of {who['reduction']} voxels along an edge" if who["reduction"] > 1 else ""
    return (
        f"{name}{cubes}, magnitudes divided by their 99.9th percentile, was taken for a subject of {who['age_years']:g} years, "
        f"sex {who['sex']}, and forecast as {' and as '.join(who['diagnoses'])}."
    )


def _acquire_text(parameters: Mapping[str, Any]) -> str:
    one = parameters["acquisition"]
    rows = "all rows" if one["acceleration"] == 1 else f"one row in {one['acceleration']:g}"
    noise = f"complex noise of {percent(one['noise'], 1)} of the largest magnitude" if one["noise"] else "no noise"
    return (
        f"k-space of every axial slice, with a smooth phase: {rows}, chosen at random outside the centre [@lustig2007], "
        f"{counted(one['coils'], 'coil')}, {noise}."
    )


def _reconstruct_text(parameters: Mapping[str, Any]) -> str:
    return {
        "zero-filled": "Zero-filled reconstructions are the adjoint of the measurement.",
        "tv": "Total variation [@rudin1992] was weighed by the noise level.",
        "lpn": "Learned reconstructions minimise the misfit plus the regulariser of a learned proximal network [@fang2024], "
        "`mr-t1`, weighed by the noise level, slice by slice.",
    }[parameters["method"]]


def _archive_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"Slices were archived as whole numbers of 16 bits: {', '.join(parameters['archives'])}; without loss by PNG, otherwise "
        "by the codec of this workbench, whose transform and entropy model are learned [@zhu2022]."
    )


def _forecast_text(parameters: Mapping[str, Any]) -> str:
    return (
        "Every decoded scan was registered to MNI152, its skull and shading removed, its regions estimated. Volumes were "
        "forecast by the linear course of a population, anchored at the measured ones, with 90 % intervals [@puglisi2025]."
    )


def _evaluate_text(parameters: Mapping[str, Any]) -> str:
    return (
        "The variance of the logarithm of forecast volumes over the full grid of links was parted by the functional analysis of "
        "variance [@sobol2001]. Intervals of means are bootstrap intervals over subjects."
    )


PARAGRAPHS: Mapping[str, Paragraph] = {
    "scan_to_forecast.cases": _cases_text,
    "scan_to_forecast.acquire": _acquire_text,
    "scan_to_forecast.reconstruct": _reconstruct_text,
    "scan_to_forecast.archive": _archive_text,
    "scan_to_forecast.forecast": _forecast_text,
    "scan_to_forecast.evaluate": _evaluate_text,
}
