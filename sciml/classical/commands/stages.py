"""The stages of the study: settings and inputs of each."""

from __future__ import annotations

from sciml.classical.config import CheckConfig, EvaluateConfig, ReportConfig
from sciml.imaging.tasks.studies import MeasureConfig, ReconstructConfig, SolveConfig, TuneConfig
from sciml.stages import File, declare

MEASUREMENTS = File("measurements.safetensors of the measure stage.")
RESULTS = File("Results folder of the study.")

STAGES = {
    "check": declare("Check every operator (adjoint, linearity, norm) and the filtered back-projection.", CheckConfig),
    "measure": declare("Measure the real pictures of one task.", MeasureConfig),
    "tune": declare("Find the parameter of every method on validation data.", TuneConfig, gpu=True, measurements=MEASUREMENTS),
    "solve": declare(
        "Reconstruct the test data of one task with every method.",
        SolveConfig,
        gpu=True,
        measurements=MEASUREMENTS,
        parameters=File("parameters.json of the tune stage."),
    ),
    "reconstruct": declare("Measure, tune and solve one task in one process.", ReconstructConfig, gpu=True),
    "evaluate": declare("Compute PSNR and SSIM of every reconstruction of every task.", EvaluateConfig, results=RESULTS),
    "report": declare("Write the page of the study.", ReportConfig, page=True, results=RESULTS),
}
