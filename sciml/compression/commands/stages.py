"""The stages of the study: settings and inputs of each."""

from __future__ import annotations

from sciml.compression.settings.lossless import CompareLosslessConfig, FitLosslessConfig
from sciml.compression.settings.stages import (
    AblateConfig,
    EvaluateConfig,
    FitConfig,
    InspectConfig,
    JudgeConfig,
    PageConfig,
    ShowConfig,
    TrainConfig,
    TrainNeuralConfig,
    VolumesAndFieldsConfig,
)
from sciml.compression.settings.vectors import CompareVectorsConfig, FitVectorsConfig
from sciml.stages import File, Files, Named, declare

WEIGHTS = File("Model file.")
BASE = File("Model file of the fit stage.")
PHOTO = File("Model file of photographs, which is shown beside.")
RUNS = File("Folder of simulated runs, one subfolder a role; for domains whose fields come from them.", required=False)

STAGES = {
    "fit": declare(
        "Fit transform, rules and tables of one domain; finished steps are kept when it is stopped.", FitConfig, runs=RUNS
    ),
    "train": declare(
        "Train the network behind the decoder; a stopped training goes on.", TrainConfig, gpu=True, base=BASE, runs=RUNS
    ),
    "train_neural": declare("Train a neural model end to end; a stopped training goes on.", TrainNeuralConfig, gpu=True),
    "evaluate": declare(
        "Compare a model with the classical codecs on test pictures.",
        EvaluateConfig,
        workers=True,
        weights=WEIGHTS,
        neural=Files("Neural model to compare too.", required=False),
        runs=RUNS,
    ),
    "judge": declare(
        "Compare a model with other codecs on the crops of photographs that judge; finished curves are kept when it is stopped.",
        JudgeConfig,
        workers=True,
        weights=WEIGHTS,
        neural=Files("Neural model to judge too.", required=False),
        before=File("Earlier curves.json, whose curves of other codecs are taken where nothing changed.", required=False),
    ),
    "volumes_and_fields": declare(
        "Show slices or fields at equal bytes beside JPEG 2000 and the photo model; spectra of fields; pixels in processes.",
        VolumesAndFieldsConfig,
        weights=WEIGHTS,
        photo=PHOTO,
        runs=RUNS,
    ),
    "inspect": declare(
        "Count where the bits of a model go, show its pictures at equal bytes, check its files.", InspectConfig, weights=WEIGHTS
    ),
    "show": declare(
        "Write what inspect and volumes-and-fields write, for every domain.",
        ShowConfig,
        weights=Named("DOMAIN=model file."),
        photo=PHOTO,
        runs=RUNS,
    ),
    "ablate": declare(
        "Measure what each part of the codec is worth, on validation pictures; fitted variants are kept when it is stopped.",
        AblateConfig,
        weights=WEIGHTS,
    ),
    "ablate_report": declare(
        "Write the page of the codec's parts.",
        PageConfig,
        page=True,
        table=File("ablations.json of the ablate stage, with its provenance.json beside it."),
    ),
    "fit_vectors": declare(
        "Fit groups of vectors behind the first planes of a scalar model; finished steps are kept when it is stopped.",
        FitVectorsConfig,
        base=BASE,
    ),
    "compare_vectors": declare(
        "Compare models with vectors with the scalar one at equal rates, on validation pictures.",
        CompareVectorsConfig,
        base=File("The scalar model."),
        weights=Files("Model with vectors behind planes of this one."),
    ),
    "fit_lossless": declare("Fit the model without loss.", FitLosslessConfig),
    "compare_lossless": declare(
        "Code test pictures, slices and fields without loss and within bounds, beside other codecs.",
        CompareLosslessConfig,
        weights=File("Model file without loss."),
        runs=RUNS,
    ),
    "report": declare("Write the page of the study.", PageConfig, page=True, results=File("Results folder of the study.")),
    "publish": declare(
        "Copy a model into the package, with its card.",
        None,
        weights=WEIGHTS,
        bench=File("bench.json of the evaluation."),
        curves=File("curves.json of the judgement, of photographs.", required=False),
    ),
}
# by their names of earlier versions
FORMER = {"apart": "volumes_and_fields"}
