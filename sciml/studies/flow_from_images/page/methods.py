"""The methods text, from the settings of what ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _places(places: Any) -> str:
    return ", ".join(f"({alpha:g}, {zeta:g})" for alpha, zeta in places).replace("-", "\u2212")


def _simulate(parameters: Mapping[str, Any]) -> str:
    judged = (
        f"Flows with activity and alignment {_places(parameters['truths'])}, {parameters['seeds']} initial states each, are "
        "judged; "
        if parameters["truths"]
        else ""
    )
    return (
        f"{judged}flows with {_places(parameters['calibration'])} calibrate. All were simulated by the kinetic theory "
        f"[@saintillan2008; @maddu2024] on {parameters['points']} points a side; a movie has {parameters['frames']} "
        "frames half a unit of time apart and begins where the order passes 0.4 in Bingham's model."
    )


def _render(parameters: Mapping[str, Any]) -> str:
    return (
        f"Frames of {parameters['pixels']} pixels a side show noise that the flow carries along, convolved with lines along the "
        "directors [@cabral1993], with a contrast in proportion to the order; they are blurred by a Gaussian whose widths differ "
        "by a fifth from the nominal ones in each movie, and have Poisson and read-out noise and 12 bits."
    )


def _archive(_: Mapping[str, Any]) -> str:
    return "Frames were encoded by the learned codec as 16 bits, without loss and at lower qualities, and decoded."


def _sharpen(_: Mapping[str, Any]) -> str:
    return (
        "Blur was taken out by Wiener's filter, by total variation [@rudin1992] with the nominal, the corrected or the true "
        "kernel, or by a learned proximal prior; the correction is of the last frame of a movie and serves all of it."
    )


def _orient(_: Mapping[str, Any]) -> str:
    return (
        "The order was read from the structure tensor [@bigun1987], whose scale, gain, offset and noise were found on the movies "
        "that calibrate; points of a coherence below 0.1 count as not seen."
    )


def _infer(_: Mapping[str, Any]) -> str:
    return (
        "Activity, alignment and the first state were fitted together through the differentiable solver with the learned "
        "closure, with gain and offset of a movie integrated out; the intervals hold noise and closure error, and were widened "
        "by the largest error of the movies that calibrate, each fitted by what the others tell [@vovk2015]. The closed model "
        "was run on from the last fitted state."
    )


PARAGRAPHS = {
    "flow_from_images.simulate": _simulate,
    "flow_from_images.render": _render,
    "flow_from_images.archive": _archive,
    "flow_from_images.sharpen": _sharpen,
    "flow_from_images.orient": _orient,
    "flow_from_images.infer": _infer,
}
