"""The stages of the study: settings and inputs of each."""

from __future__ import annotations

from sciml.deblurring.config import (
    CorrectConfig,
    EvaluateConfig,
    PageConfig,
    PhotoConfig,
    RestoreConfig,
    SimulateConfig,
    TuneConfig,
)
from sciml.deblurring.settings.structures import DipStudyConfig
from sciml.stages import File, Files, Named, Word, declare

PAIRS = File("pairs.safetensors of the simulate stage.")
PHOTOGRAPH = Word("Id of the photograph whose pairs are meant.")
KERNELS = File("kernels.safetensors of the correct stage.")

STAGES = {
    "simulate": declare("Blur photographs and make wrong kernels for them, every set of the study.", SimulateConfig),
    "correct": declare(
        "Correct the given kernels of one photograph under every error model.",
        CorrectConfig,
        gpu=True,
        pairs=PAIRS,
        photograph=PHOTOGRAPH,
    ),
    "tune": declare(
        "Choose the weights of every prior on validation pairs.",
        TuneConfig,
        gpu=True,
        pairs=PAIRS,
        kernels=Files("kernels.safetensors of the correct stage, one a photograph."),
    ),
    "restore": declare(
        "Restore the pairs of one photograph in every cell of the grid, and map how far they depend on the kernel.",
        RestoreConfig,
        gpu=True,
        pairs=PAIRS,
        photograph=PHOTOGRAPH,
        kernels=KERNELS,
        weights=Named("PRIOR=weights.json of the tune stage."),
    ),
    "evaluate": declare(
        "Score pictures, kernels and residuals of every set, and calibrate the maps of spreads.",
        EvaluateConfig,
        results=File("Results folder of the study."),
    ),
    "dip": declare(
        "Fit untrained networks to pairs of one photograph, with several seeds.",
        DipStudyConfig,
        gpu=True,
        pairs=PAIRS,
        photograph=PHOTOGRAPH,
        kernels=KERNELS,
        weights=File("weights.json of the tune stage for total variation."),
    ),
    "photo": declare("Sharpen a real photograph whose blur nobody knows.", PhotoConfig, gpu=True),
    "ablate_report": declare(
        "Write the page of the ablations.",
        PageConfig,
        page=True,
        results=File("Folder of the ablations, one folder a photograph."),
    ),
    "report": declare("Write the page of the study.", PageConfig, page=True, results=File("Results folder of the study.")),
}
