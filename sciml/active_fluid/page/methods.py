"""The methods text of the study: one paragraph a stage, with the parameters of what really ran."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sciml.active_fluid.config import (
    CostConfig,
    EvaluateConfig,
    GenerateConfig,
    RecoverConfig,
    StabilityConfig,
    TheoryConfig,
    TrainConfig,
)
from sciml.report.methods import Paragraph
from sciml.report.words import MINUS, listed
from sciml.runtime.settings import StageConfig, validated

EQUATIONS = "active_fluid.equations"


def _equations_text(parameters: Mapping[str, Any]) -> str:
    return (
        "The truth is the kinetic theory of immotile rods in a Stokes flow [@saintillan2008; @maddu2024], written for the "
        "angular moments m_n = <exp(2 i n \u03b8)>, so that half of the modes of the circle hold all that is even. Fourier "
        "modes in space with a filter at two thirds, both diffusions implicit, steps by the second-order backward "
        "differentiation with extrapolation [@ascher1995]; the flow solves the Stokes equation with active, steric and "
        "constraint stress by a fixed point. The coarse model keeps the density and m1, with the same numerics, and takes m2 "
        "from a closure: m1\u00b2, Bingham's [@bingham1974; @maddu2024], computed as a sum of poles that the AAA algorithm "
        "found [@nakatsukasa2018], or a learned one. A learned one is Bingham's and the output of a perceptron, added on a "
        "disc, so that whatever the weights m2 is the moment of a distribution, and turns and reflects with the rods. "
        "A closure of second order gives m3 to a coarse model that keeps m1 and m2, by the next Verblunsky coefficient "
        "[@simon2005]: 0 in Burg's, a polynomial of those before, squashed into the disc, in the learned one."
    )


def _generate_text(settings: GenerateConfig) -> str:
    seeds: dict[tuple[float, float], list[str]] = {}
    for place in settings.places:
        seeds.setdefault((place.alpha, place.zeta), []).append(str(place.seed))
    where = "; ".join(f"({alpha:g}, {zeta:g}) {', '.join(mine)}" for (alpha, zeta), mine in seeds.items()).replace("-", MINUS)
    side = settings.points
    grid = "as many points as the cores of defects need" if side is None else f"{side}\u00b2 points"
    return (
        f"Kinetic runs, {len(settings.places)} to t = {settings.until:g}, saved every {settings.save_every:g}, "
        f"on {grid}, modes and step by the sharpest distribution, at (\u03b1, \u03b6) with the seeds of the initial states: "
        f"{where}. A run whose last mode passes 1e-3, or whose moments no distribution has, is refused."
    )


def _train_text(settings: TrainConfig) -> str:
    inputs, horizons = settings.inputs, settings.horizons
    trainings = f" Trainings: {settings.seeds}, seeds derived from {settings.seed}."
    if settings.kept > 1:
        return (
            f"Closure {settings.name}: nine numbers for m3, by least squares (Levenberg and Marquardt) on the relative error of "
            f"h* m3 at {settings.places} places of each run.{trainings}"
        )
    kind = "of the order alone" if inputs == 1 else f"of {inputs} invariants of order, flow and alignment"
    what = f"a function {kind}, {settings.depth} layers of {settings.width}"
    text = (
        f"Closure {settings.name}: {f'the entry point {settings.entry}' if settings.entry else what}. Offline: "
        f"{settings.steps} steps of Adam at a rate of {settings.rate:g} on the relative error of h* m2 at "
        f"{settings.places} places of each run."
    )
    if horizons:
        stages = ", ".join(
            f"{stage.updates} updates over {stage.times * settings.save_every:g} time units at {stage.rate:g}"
            for stage in horizons
        )
        text += (
            f" Then through the solver, {settings.points}\u00b2 points, steps of {settings.time_step:g}, "
            f"{settings.batch} windows an update: {stages}; the loss is the relative error of m1 along the window plus "
            f"{settings.anchor:g} times the offline one."
        )
    return f"{text}{trainings}"


def _theory_text(settings: TheoryConfig) -> str:
    places = "; ".join(f"({alpha:g}, {zeta:g})" for alpha, zeta in settings.places).replace("-", MINUS)
    return (
        f"Growth rates of the isotropic state at (\u03b1, \u03b6) = {places}, waves 0 to {settings.most} of the box, were "
        "computed from the dispersion relation, which for this theory follows [@saintillan2008], from the programmed "
        "equations by automatic differentiation, and in runs from waves so weak that they stay linear."
    )


def _evaluate_text(settings: EvaluateConfig) -> str:
    return (
        f"Every closure ran from the first state of each test run, {settings.points}\u00b2 points, steps of at most "
        f"{settings.time_step:g}, double precision, to t = {settings.until:g}. Field error: relative L2 error of m1 "
        f"on this grid; its first time above {100 * settings.threshold:g} % is interpolated between saved times, and is "
        "the last time where it stays below. Closure error: relative L2 error of h* m2 on the kinetic fields, all times "
        "together. The kinetic theory cut at few modes ran the same way, without guards. Defects are "
        "cells around which the director turns by half a circle."
    )


def _stability_text(settings: StabilityConfig) -> str:
    return (
        f"Long runs: {settings.side} x {settings.side} points over the box of the learned closure, to t = "
        f"{settings.until:g}, {settings.points}\u00b2 points. Realisability: {settings.samples} random inputs, "
        "orders that crowd at 1, strain and vorticity log-uniform from 1e-6 to 1e6. Where the flow grew too fast for the time "
        "step, the run was made again with half of it."
    )


def _recover_text(settings: RecoverConfig) -> str:
    return (
        f"Inference: {settings.twins} twin experiments, snapshots at t = {listed(settings.times, 'g')}, and "
        f"{settings.truths} with data of the kinetic theory, at t = {listed(settings.kinetic_times, 'g')}; noise of "
        f"{100 * settings.noise:g} % of the snapshots' root mean square, {settings.points}\u00b2 points. "
        "Activity, alignment and the initial state were fitted together through the solver by Gauss and Newton; intervals are "
        "those of a normal distribution with the covariance of both parameters, the initial state integrated out; with data of "
        "the kinetic theory the closure's error is added to it, three terms of its form that are considered, not sought, as "
        "large as they were on windows of that length and order of the runs that the closure was trained on."
    )


def _cost_text(settings: CostConfig) -> str:
    sides = ", ".join(f"{points}\u00b2" for points in settings.points)
    return (
        f"Times: CPU seconds of forty compiled steps, the least of {settings.repeats} repeats, for every model in one "
        f"process, on {sides} points; compilation was measured apart."
    )


def _told(text: Callable[[Any], str], model: type[StageConfig]) -> Paragraph:
    """Return the writer that gets the settings of a stage as JSON values, of one that gets them as a model."""

    def paragraph(parameters: Mapping[str, Any]) -> str:
        given = {key: value for key, value in parameters.items() if key != "data"}
        return text(validated(model, given, "the settings of a stage that ran"))

    return paragraph


PARAGRAPHS: dict[str, Paragraph] = {
    EQUATIONS: _equations_text,
    "active_fluid.generate": _told(_generate_text, GenerateConfig),
    "active_fluid.train": _told(_train_text, TrainConfig),
    "active_fluid.theory": _told(_theory_text, TheoryConfig),
    "active_fluid.evaluate": _told(_evaluate_text, EvaluateConfig),
    "active_fluid.stability": _told(_stability_text, StabilityConfig),
    "active_fluid.recover": _told(_recover_text, RecoverConfig),
    "active_fluid.cost": _told(_cost_text, CostConfig),
}
