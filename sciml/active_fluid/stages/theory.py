"""Stage `theory`: growth rates of the programmed right-hand sides and of runs beside the dispersion relation."""

from __future__ import annotations

from pathlib import Path

from sciml.active_fluid.closures.closure import AnyClosure, BinghamClosure, QuadraticClosure
from sciml.active_fluid.closures.load import load_closure
from sciml.active_fluid.closures.second import SecondOrderClosure
from sciml.active_fluid.config import TheoryConfig
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.study.results import RateRow
from sciml.active_fluid.theory.dispersion import growth_rates, measured_rates
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result


def run(config: TheoryConfig, weights: Path, output: Path) -> list[Path]:
    """Write `rates.json`: a row for each place, wave and model, with the formula, the linearised operator and a run.

    Args:
        config: places of the box and waves.
        weights: weight file of the learned closure.
        output: folder of the artefacts.
    """
    recorder = Recorder("active_fluid.theory", config.model_dump(mode="json"), [weights])
    models: dict[str, AnyClosure | None] = {
        "kinetic": None,
        "quadratic": QuadraticClosure(),
        "bingham": BinghamClosure(),
        "learned": load_closure(weights),
        "burg": SecondOrderClosure.burg(),
    }
    waves = [(number, 0) for number in range(config.most + 1)]
    # the grid of a run keeps waves below a third of its points
    points = max(16, 4 * config.most)
    rows = []
    for alpha, zeta in config.places:
        parameters = Parameters(alpha=alpha, zeta=zeta)
        for name, closure in models.items():
            found = growth_rates(parameters, waves, closure)
            in_runs = measured_rates(parameters, waves, closure, points=points)
            for rate, (cross, parallel) in zip(found, in_runs.tolist(), strict=True):
                in_run = {"cross_in_run": cross, "parallel_in_run": parallel}
                rows.append(RateRow(alpha=alpha, zeta=zeta, model=name, **rate._asdict(), **in_run))
    path = write_result(output / "rates.json", rows)
    recorder.write(output / "provenance.json", [path])
    return [path]
