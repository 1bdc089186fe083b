"""The stages of the example: settings and inputs of each."""

from __future__ import annotations

from sciml.stages import File, declare
from sciml_example.config import EvaluateConfig, ReportConfig, TrainConfig

STAGES = {
    "train": declare("Learn the filter; a stopped run goes on.", TrainConfig, gpu=True),
    "evaluate": declare(
        "Score the filter on test pictures.", EvaluateConfig, weights=File("filter.safetensors of the train stage.")
    ),
    "report": declare("Write the page.", ReportConfig, page=True, results=File("Results folder of the family.")),
}
