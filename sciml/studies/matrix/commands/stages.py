"""The stages of the study: settings and inputs of each."""

from __future__ import annotations

from sciml.stages import File, Files, declare
from sciml.studies.matrix.config import ClassicalConfig, CompareConfig, KernelConfig, LearnedConfig, ReportConfig

STAGES = {
    "classical": declare("Tune and run methods of imaging on the rows of a domain.", ClassicalConfig),
    "learned": declare(
        "Run the learned proximal networks on the rows of a domain.",
        LearnedConfig,
        weights=Files("Weight file of a network, in the order of the settings."),
    ),
    "kernel": declare(
        "Run the methods that correct a kernel.",
        KernelConfig,
        weights=File("Weight file of the network behind the learned prior."),
    ),
    "compare": declare(
        "Compare all methods, with paired tests, and write the matrix.",
        CompareConfig,
        trials=Files("trials.json of the jobs."),
        curves=File("curves.json of the codecs on the crops that judge.", required=False),
        bench=File("bench.json of the codecs on the test photographs.", required=False),
        scores=File("scores.json of the closures.", required=False),
        cost=File("cost.json of the solvers.", required=False),
    ),
    "report": declare("Write the page of the matrix.", ReportConfig, page=True, results=File("Results folder of the study.")),
}
