"""The stages of the study: settings and inputs of each."""

from __future__ import annotations

from sciml.deblurring.config import (
    CalibrateConfig,
    CorrectConfig,
    EvaluateConfig,
    PageConfig,
    PhotoConfig,
    RestoreConfig,
    SimulateConfig,
    SpreadConfig,
    TuneConfig,
)
from sciml.deblurring.settings.structures import DipStudyConfig
from sciml.stages import File, Files, Named, Word, declare

PAIRS = File("pairs.safetensors of the simulate stage.")
PHOTOGRAPH = Word("Id of the photograph whose pairs are meant.")
KERNELS = File("kernels.safetensors of the correct stage.")
EVERY_KERNELS = Files("kernels.safetensors of the correct stage, one a photograph.")
TV_WEIGHTS = File("weights.json of the tune stage for total variation.")
RESTORED = "restored.safetensors of the restore stage, one a photograph."
SPREADS = "spreads.safetensors, in the same order."

STAGES = {
    "simulate": declare("Blur photographs and make wrong kernels for them.", SimulateConfig),
    "correct": declare(
        "Correct the given kernels of one photograph under every error model.",
        CorrectConfig,
        gpu=True,
        pairs=PAIRS,
        photograph=PHOTOGRAPH,
    ),
    "tune": declare(
        "Choose the weights of one prior on validation pairs.", TuneConfig, gpu=True, pairs=PAIRS, kernels=EVERY_KERNELS
    ),
    "restore": declare(
        "Restore the pairs of one photograph in every cell of the grid.",
        RestoreConfig,
        gpu=True,
        pairs=PAIRS,
        photograph=PHOTOGRAPH,
        kernels=KERNELS,
        weights=Named("PRIOR=weights.json of the tune stage."),
    ),
    "evaluate": declare(
        "Score pictures, kernels and residuals of one set.",
        EvaluateConfig,
        pairs=PAIRS,
        restored=Files(RESTORED),
        kernels=EVERY_KERNELS,
    ),
    "spread": declare(
        "Map how far the pictures of one photograph depend on the kernel's stated error.",
        SpreadConfig,
        gpu=True,
        pairs=PAIRS,
        photograph=PHOTOGRAPH,
        kernels=KERNELS,
        weights=TV_WEIGHTS,
    ),
    "calibrate": declare(
        "Fit one factor for maps of spreads on validation pairs and judge it on test pairs.",
        CalibrateConfig,
        validation=File("pairs.safetensors of the set that the factor is fitted on."),
        validation_restored=Files(f"Its {RESTORED}"),
        validation_spreads=Files(f"Its {SPREADS}"),
        pairs=PAIRS,
        restored=Files(f"Of the test set: {RESTORED}"),
        spreads=Files(f"Its {SPREADS}"),
    ),
    "dip": declare(
        "Fit untrained networks to pairs of one photograph, with several seeds.",
        DipStudyConfig,
        gpu=True,
        pairs=PAIRS,
        photograph=PHOTOGRAPH,
        kernels=KERNELS,
        weights=TV_WEIGHTS,
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
