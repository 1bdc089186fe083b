"""The stages of the study: settings and inputs of each."""

from __future__ import annotations

from sciml.stages import File, Files, Word, declare
from sciml.studies.scan_to_forecast.config import (
    AcquireConfig,
    ArchiveConfig,
    CasesConfig,
    EvaluateConfig,
    ForecastConfig,
    PageConfig,
    ReconstructConfig,
)

CASES = File("Folder of the cases stage.")
CODEC = File("Model file of the codec.")

STAGES = {
    "cases": declare(
        "Write who is scanned: a head, or simulated subjects.",
        CasesConfig,
        scan=File("T1 of your own in place of Colin27, NIfTI or MGH.", required=False),
    ),
    "acquire": declare("Measure k-space of every slice under one acquisition.", AcquireConfig, cases=CASES),
    "reconstruct": declare(
        "Make volumes of k-space by one method.",
        ReconstructConfig,
        kspace=File("kspace.safetensors of the acquire stage."),
        network=File("Weight file of the learned method."),
    ),
    "archive": declare(
        "Put volumes through every level of the archive and back.",
        ArchiveConfig,
        volumes=File("volumes.safetensors of the reconstruct stage."),
        codec=CODEC,
    ),
    "forecast": declare(
        "Measure regional volumes in every decoded scan and forecast them.",
        ForecastConfig,
        cases=CASES,
        decoded=Files("decoded.safetensors of the archive stage, one a reconstruction."),
        model=File("Model file of the forecasts."),
        codec=CODEC,
        acquisition=Word("Name of the acquisition."),
    ),
    "evaluate": declare(
        "Make the error budget of all chains.",
        EvaluateConfig,
        cases=Files("cases.json of the cases stage, one a group."),
        chains=Files("chains.json of the forecast stage, one an acquisition."),
    ),
    "report": declare("Write the page of the study.", PageConfig, page=True, results=File("Results folder of the study.")),
}
