"""The methods text of the study: one paragraph a stage, with the parameters of what really ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sciml.report.methods import stage_paragraph


@stage_paragraph("active_fluid.generate")
def _generate_text(parameters: Mapping[str, Any]) -> str:
    places = parameters["places"]
    where = "; ".join(f"({place['alpha']:g}, {place['zeta']:g}), seed {place['seed']}" for place in places)
    grid = (
        "as many points as the cores of defects need" if parameters["points"] is None else f"{parameters['points']}\u00b2 points"
    )
    return (
        "The truth is the kinetic theory of immotile rods in a Stokes flow [@saintillan2008; @maddu2024], written for the "
        "angular moments m_n = <exp(2 i n \u03b8)>, n \u2265 0, in which every even function of the angle is held by half the "
        "modes. Fourier modes in space with a filter at two thirds, both diffusions implicit, steps by the second-order "
        "backward differentiation with extrapolation [@ascher1995]; the flow solves the Stokes equation with active, steric "
        f"and constraint stress by a fixed point. {len(places)} runs to t = {parameters['until']:g}, saved every "
        f"{parameters['save_every']:g}, on {grid}, angular modes and step by the sharpest distribution, at (\u03b1, \u03b6) = "
        f"{where}. A run whose last mode passes 1e-3, or whose moments no distribution has, is refused."
    )


@stage_paragraph("active_fluid.train")
def _train_text(parameters: Mapping[str, Any]) -> str:
    inputs, horizons = parameters["inputs"], parameters["horizons"]
    kind = "a function of the order alone" if inputs == 1 else f"a function of {inputs} invariants of order, flow and alignment"
    text = (
        f"Closure {parameters['name']}: {kind}, a perceptron of {parameters['depth']} layers of {parameters['width']}, added "
        "to Bingham's closure [@bingham1974; @chaubal1998] on a disc, so that every output is the moment of a distribution "
        f"and turns and reflects with the rods. Offline: {parameters['steps']} steps of Adam at a rate of "
        f"{parameters['rate']:g} on the relative error of h* m2 at {parameters['places']} places of each run."
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


@stage_paragraph("active_fluid.theory")
def _theory_text(parameters: Mapping[str, Any]) -> str:
    places = "; ".join(f"({alpha:g}, {zeta:g})" for alpha, zeta in parameters["places"])
    return (
        f"Growth rates of the isotropic state at (\u03b1, \u03b6) = {places}, waves 0 to {parameters['most']} of the box, were "
        "computed from the dispersion relation, which for this theory follows [@saintillan2008], from the programmed "
        "equations by automatic differentiation, and in runs from waves so weak that they stay linear."
    )


@stage_paragraph("active_fluid.evaluate")
def _evaluate_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"Every closure ran from the first state of each test run, {parameters['points']}\u00b2 points, steps of at most "
        f"{parameters['time_step']:g}, double precision, to t = {parameters['until']:g}. Field error: relative L2 error of m1 "
        f"on this grid; its first time above {100 * parameters['threshold']:g} % is interpolated between saved times, and is "
        "the last time where it stays below. Closure error: relative L2 error of h* m2 on the kinetic fields, all times "
        "together. Defects are cells around which the director turns by half a circle."
    )


@stage_paragraph("active_fluid.stability")
def _stability_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"Long runs: {parameters['side']} x {parameters['side']} points over the box of the learned closure, to t = "
        f"{parameters['until']:g}, {parameters['points']}\u00b2 points. Realisability: {parameters['samples']} random inputs, "
        "orders that crowd at 1, strain and vorticity log-uniform from 1e-6 to 1e6."
    )


@stage_paragraph("active_fluid.recover")
def _recover_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"Inference: {parameters['twins']} twin experiments and {parameters['truths']} with data of the kinetic theory, five "
        f"snapshots with noise of {100 * parameters['noise']:g} % of their root mean square on {parameters['points']}\u00b2 "
        "points. Activity, alignment and the initial state were fitted together through the solver by Gauss and Newton; "
        "intervals are those of a normal distribution with the covariance of both parameters, the initial state integrated "
        "out."
    )


@stage_paragraph("active_fluid.cost")
def _cost_text(parameters: Mapping[str, Any]) -> str:
    sides = ", ".join(f"{points}\u00b2" for points in parameters["points"])
    return (
        f"Times: CPU seconds of forty compiled steps, the least of {parameters['repeats']} repeats, for every model in one "
        f"process, on {sides} points; compilation was measured apart."
    )
