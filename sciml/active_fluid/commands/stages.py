"""The stages of the study: settings and inputs of each."""

from __future__ import annotations

from sciml.active_fluid.config import (
    CostConfig,
    EvaluateConfig,
    GenerateConfig,
    HeldOutConfig,
    MeasureConfig,
    PageConfig,
    RecoverConfig,
    StabilityConfig,
    TheoryConfig,
    TrainConfig,
)
from sciml.stages import File, Named, declare

WEIGHTS = File("Weight file of a learned closure.")

STAGES = {
    "generate": declare("Run the kinetic theory at the places of one set.", GenerateConfig, gpu=True),
    "held_out": declare("Run the kinetic theory at the places of validation and test.", HeldOutConfig, gpu=True),
    "train": declare(
        "Train one closure for all its seeds; a stopped training goes on.",
        TrainConfig,
        gpu=True,
        train=File("trajectories.safetensors that are learned from."),
        validation=File("trajectories.safetensors that the history is measured on."),
    ),
    "evaluate": declare(
        "Run every closure beside the kinetic theory.",
        EvaluateConfig,
        gpu=True,
        test=File("trajectories.safetensors that closures are judged by."),
        weights=Named("NAME=FILE: a closure's name and the weights of one seed."),
    ),
    "stability": declare(
        "Run for a long time all over the box, and look for inputs whose output no distribution has.",
        StabilityConfig,
        gpu=True,
        weights=WEIGHTS,
        second=File("Weight file of a learned closure of second order."),
    ),
    "recover": declare(
        "Infer activity and alignment from noisy snapshots whose truth is known.", RecoverConfig, gpu=True, weights=WEIGHTS
    ),
    "theory": declare("Compare growth rates of the solvers with the dispersion relation.", TheoryConfig, weights=WEIGHTS),
    "cost": declare("Measure seconds a step of every model.", CostConfig, gpu=True, weights=WEIGHTS),
    "measure": declare("Compare growth rates, then measure seconds a step.", MeasureConfig, gpu=True, weights=WEIGHTS),
    "publish": declare(
        "Copy a closure into the package, with its model card.",
        None,
        weights=WEIGHTS,
        second=File("Weight file of a learned closure of second order."),
        scores=File("scores.json of the evaluate stage."),
    ),
    "report": declare("Write the page of the study.", PageConfig, page=True, results=File("Folder of the study's results.")),
}
