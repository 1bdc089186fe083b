"""Active fluids: kinetic truth, coarse models, and closures learned from the one for the other.

Example:
    from sciml.active_fluid import CoarseSolver, NeuralClosure, Parameters, random_state

    parameters = Parameters(alpha=-1.5, zeta=0.75)
    solver = CoarseSolver(parameters, closure=NeuralClosure.load("default"), points=64)
    run = solver.run(random_state(64, seed=0), until=20.0, save_every=0.5)      # an xarray Dataset
    m1 = solver.integrate(random_state(64, seed=0), time=2.0)                   # a pure function: jit, grad and vmap work
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

if TYPE_CHECKING:
    from sciml.active_fluid.closures.closure import BinghamClosure, QuadraticClosure
    from sciml.active_fluid.closures.neural import InvariantClosure, NeuralClosure
    from sciml.active_fluid.closures.second import SecondOrderClosure
    from sciml.active_fluid.fields.forcing import Cells, Forcing, Kolmogorov
    from sciml.active_fluid.fields.parameters import Parameters
    from sciml.active_fluid.inference.frames import theory_units
    from sciml.active_fluid.inference.infer import Inference, infer
    from sciml.active_fluid.inference.recovery import with_noise
    from sciml.active_fluid.solvers.automatic import points_for
    from sciml.active_fluid.solvers.causes import StoppedRun
    from sciml.active_fluid.solvers.netcdf import real_parts
    from sciml.active_fluid.solvers.solvers import CoarseSolver, KineticSolver
    from sciml.active_fluid.solvers.store import open_run
    from sciml.active_fluid.study.results import CostRow, Scores
    from sciml.active_fluid.theory.states import lifted, random_state
    from sciml.active_fluid.three.solver import CoarseSolver3D
    from sciml.active_fluid.three.states import growth_rates_3d, nematic_order_3d, random_state_3d

_HOMES = {
    "BinghamClosure": "closures.closure",
    "Cells": "fields.forcing",
    "CoarseSolver": "solvers.solvers",
    "CoarseSolver3D": "three.solver",
    "CostRow": "study.results",
    "Forcing": "fields.forcing",
    "growth_rates_3d": "three.states",
    "infer": "inference.infer",
    "Inference": "inference.infer",
    "InvariantClosure": "closures.neural",
    "KineticSolver": "solvers.solvers",
    "Kolmogorov": "fields.forcing",
    "lifted": "theory.states",
    "nematic_order_3d": "three.states",
    "NeuralClosure": "closures.neural",
    "open_run": "solvers.store",
    "Parameters": "fields.parameters",
    "points_for": "solvers.automatic",
    "QuadraticClosure": "closures.closure",
    "real_parts": "solvers.netcdf",
    "Scores": "study.results",
    "random_state": "theory.states",
    "random_state_3d": "three.states",
    "SecondOrderClosure": "closures.second",
    "StoppedRun": "solvers.causes",
    "theory_units": "inference.frames",
    "with_noise": "inference.recovery",
}
__all__ = [
    "BinghamClosure",
    "Cells",
    "CoarseSolver",
    "CoarseSolver3D",
    "CostRow",
    "Forcing",
    "Inference",
    "InvariantClosure",
    "KineticSolver",
    "Kolmogorov",
    "NeuralClosure",
    "Parameters",
    "QuadraticClosure",
    "Scores",
    "SecondOrderClosure",
    "StoppedRun",
    "growth_rates_3d",
    "infer",
    "lifted",
    "nematic_order_3d",
    "open_run",
    "points_for",
    "random_state",
    "random_state_3d",
    "real_parts",
    "theory_units",
    "with_noise",
]


__getattr__ = handed_out(__name__, _HOMES)
