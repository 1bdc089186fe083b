"""The methods text of the study: one paragraph a stage, with the parameters of what really ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sciml.report.methods import stage_paragraph


@stage_paragraph("progression.simulate")
def _simulate_text(parameters: Mapping[str, Any]) -> str:
    people, atrophy, scanner = parameters["people"], parameters["atrophy"], parameters["scanner"]
    counts = ", ".join(f"{count} {split}" for split, count in parameters["subjects"].items())
    if parameters["independent_rates"]:
        time = (
            f"Each of their {people['visits'] - 1} follow-ups has changes of its own, drawn region by region and independent of "
            "age and diagnosis: what is learned from them cannot read one region from another."
        )
    else:
        rate = atrophy["rates"]["hippocampus"]
        time = (
            f"They were seen {people['visits']} times, {people['gaps_years'][0]:g} to {people['gaps_years'][1]:g} years apart. "
            f"ln V changes at rates by diagnosis (hippocampus {100 * rate['CN']:g}, {100 * rate['MCI']:g} and "
            f"{100 * rate['AD']:g} % a year [@barnes2009; @jack2000], ventricles in the order of [@nestor2008], cortex near "
            f"[@fjell2009]), times a person's pace with a standard deviation of its logarithm of {atrophy['pace_spread']:g}."
        )
    return (
        f"People ({counts}) were simulated on the {parameters['grid']} grid: smooth invertible variants of the MNI152 template "
        "[@fonov2011] with labels from AAL [@tzourio2002]. A gradient flow that is closed at the skull, with a divergence in the "
        "span of the labels, moves every regional volume to its target; the idea to prescribe volume changes is that of "
        f"[@khanal2017]. {time} Every scan has a contrast of its person, and its own smooth bias (standard deviation "
        f"{100 * scanner['bias']:g} %) and Rician noise ({scanner['noise']:g}; white matter has 0.8)."
    )
