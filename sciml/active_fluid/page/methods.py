"""The methods text of the study: one paragraph a stage, with the parameters of what really ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sciml.active_fluid.page.style import MINUS
from sciml.report.methods import Paragraph

EQUATIONS = "active_fluid.equations"


def _equations_text(parameters: Mapping[str, Any]) -> str:
    return (
        "The truth is the kinetic theory of immotile rods in a Stokes flow [@saintillan2008; @maddu2024], written for the "
        "angular moments m_n = <exp(2 i n \u03b8)>, so that half of the modes of the circle hold all that is even. Fourier "
        "modes in space with a filter at two thirds, both diffusions implicit, steps by the second-order backward "
        "differentiation with extrapolation [@ascher1995]; the flow solves the Stokes equation with active, steric and "
        "constraint stress by a fixed point. The coarse model keeps the density and m1, with the same numerics, and takes m2 "
        "from a closure: m1\u00b2, Bingham's [@bingham1974; @chaubal1998], computed as a sum of poles that the AAA algorithm "
        "found [@nakatsukasa2018], or a learned one. A learned one is Bingham's and the output of a perceptron, added on a "
        "disc, so that whatever the weights m2 is the moment of a distribution, and turns and reflects with the rods."
    )


def _generate_text(parameters: Mapping[str, Any]) -> str:
    seeds: dict[tuple[float, float], list[str]] = {}
    for place in parameters["places"]:
        seeds.setdefault((place["alpha"], place["zeta"]), []).append(str(place["seed"]))
    where = "; ".join(f"({alpha:g}, {zeta:g}) {', '.join(mine)}" for (alpha, zeta), mine in seeds.items()).replace("-", MINUS)
    side = parameters["points"]
    grid = "as many points as the cores of defects need" if side is None else f"{side}\u00b2 points"
    return (
        f"Kinetic runs, {len(parameters['places'])} to t = {parameters['until']:g}, saved every {parameters['save_every']:g}, "
        f"on {grid}, modes and step by the sharpest distribution, at (\u03b1, \u03b6) with the seeds of the initial states: "
        f"{where}. A run whose last mode passes 1e-3, or whose moments no distribution has, is refused."
    )


def _train_text(parameters: Mapping[str, Any]) -> str:
    inputs, horizons = parameters["inputs"], parameters["horizons"]
    kind = "of the order alone" if inputs == 1 else f"of {inputs} invariants of order, flow and alignment"
    text = (
        f"Closure {parameters['name']}: a function {kind}, {parameters['depth']} layers of {parameters['width']}. Offline: "
        f"{parameters['steps']} steps of Adam at a rate of {parameters['rate']:g} on the relative error of h* m2 at "
        f"{parameters['places']} places of each run."
    )
    if horizons:
        stages = ", ".join(
            f"{stage['updates']} updates over {stage['times'] * parameters['save_every']:g} time units at {stage['rate']:g}"
            for stage in horizons
        )
        text += (
            f" Then through the solver, {parameters['points']}\u00b2 points, steps of {parameters['time_step']:g}, "
            f"{parameters['batch']} windows an update: {stages}; the loss is the relative error of m1 along the window plus "
            f"{parameters['anchor']:g} times the offline one."
        )
    return f"{text} Trainings: {parameters['seeds']}, seeds derived from {parameters['seed']}."


def _theory_text(parameters: Mapping[str, Any]) -> str:
    places = "; ".join(f"({alpha:g}, {zeta:g})" for alpha, zeta in parameters["places"]).replace("-", MINUS)
    return (
        f"Growth rates of the isotropic state at (\u03b1, \u03b6) = {places}, waves 0 to {parameters['most']} of the box, were "
        "computed from the dispersion relation, which for this theory follows [@saintillan2008], from the programmed "
        "equations by automatic differentiation, and in runs from waves so weak that they stay linear."
    )


def _evaluate_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"Every closure ran from the first state of each test run, {parameters['points']}\u00b2 points, steps of at most "
        f"{parameters['time_step']:g}, double precision, to t = {parameters['until']:g}. Field error: relative L2 error of m1 "
        f"on this grid; its first time above {100 * parameters['threshold']:g} % is interpolated between saved times, and is "
        "the last time where it stays below. Closure error: relative L2 error of h* m2 on the kinetic fields, all times "
        "together. Defects are cells around which the director turns by half a circle."
    )


def _stability_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"Long runs: {parameters['side']} x {parameters['side']} points over the box of the learned closure, to t = "
        f"{parameters['until']:g}, {parameters['points']}\u00b2 points. Realisability: {parameters['samples']} random inputs, "
        "orders that crowd at 1, strain and vorticity log-uniform from 1e-6 to 1e6. Where the flow grew too fast for the time "
        "step, the run was made again with half of it."
    )


def _recover_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"Inference: {parameters['twins']} twin experiments, snapshots at t = {_listed(parameters['times'])}, and "
        f"{parameters['truths']} with data of the kinetic theory, at t = {_listed(parameters['kinetic_times'])}; noise of "
        f"{100 * parameters['noise']:g} % of the snapshots' root mean square, {parameters['points']}\u00b2 points. "
        "Activity, alignment and the initial state were fitted together through the solver by Gauss and Newton; intervals are "
        "those of a normal distribution with the covariance of both parameters, the initial state integrated out."
    )


def _cost_text(parameters: Mapping[str, Any]) -> str:
    sides = ", ".join(f"{points}\u00b2" for points in parameters["points"])
    return (
        f"Times: CPU seconds of forty compiled steps, the least of {parameters['repeats']} repeats, for every model in one "
        f"process, on {sides} points; compilation was measured apart."
    )


def _listed(times: Sequence[float]) -> str:
    return ", ".join(f"{time:g}" for time in times)


PARAGRAPHS: dict[str, Paragraph] = {
    EQUATIONS: _equations_text,
    "active_fluid.generate": _generate_text,
    "active_fluid.train": _train_text,
    "active_fluid.theory": _theory_text,
    "active_fluid.evaluate": _evaluate_text,
    "active_fluid.stability": _stability_text,
    "active_fluid.recover": _recover_text,
    "active_fluid.cost": _cost_text,
}
