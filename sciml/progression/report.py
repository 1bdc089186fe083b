"""The page of the study of brain progression, from its artefacts alone."""

from __future__ import annotations

from pathlib import Path

from sciml.progression import report_methods  # noqa: F401 (registers the methods text)
from sciml.progression.cohort import Cohort
from sciml.progression.config import PageConfig
from sciml.progression.report_cohort import cohort_checks, cohort_claims, cohort_reportlets
from sciml.report.reportlets import Checks, Limits, Methods, Provenance, Reportlet, Text, Verdict
from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json

READING = """**Everybody on this page is simulated.** The anatomy is a real template, warped into people; their ageing is a law
that the program knows. A model that does well here has learned a known law, and nothing clinical follows. Not for clinical use.

- A region's **change** is that of ln V, in points: 100 ln(V later / V first), close to percent.
- **No change** forecasts the first scan itself."""

LIMITS = (
    "People are variants of one average template: smooth cortex, no lesions, no change of topology, no drift of the scanner.",
    "The flow is irrotational, the least-energy mover of its volumes. Regional volumes do not depend on that choice; shapes do, "
    "such as that of the ventricles.",
    "Rates are constant for a person. Real ones are not.",
    "Rates marked as remembered in the settings come from no single study.",
    "Not for clinical use.",
)


def reportlets(config: PageConfig, results: Path) -> list[Reportlet]:
    """Return everything that the page shows.

    Args:
        config: tier of the run.
        results: results folder of the study.

    Raises:
        DataError: no cohort has been simulated.
    """
    folder = results / "cohort"
    if not (folder / "accuracy.json").is_file():
        raise DataError(f"{results} holds no simulated cohort; run the study first: make demo FAMILY=progression")
    accuracy = read_json(folder / "accuracy.json")
    records = [read_json(path) for path in sorted(results.glob("*/provenance.json"))]
    items: list[Reportlet] = [Verdict(list(cohort_claims(accuracy))), Text("How to read this page", READING)]
    items += cohort_reportlets(Cohort(folder), accuracy)
    items.append(Checks(list(cohort_checks(accuracy))))
    items.append(Methods([{"stage": record["stage"], "parameters": record["config"]} for record in records]))
    items.append(Provenance(records))
    items.append(Limits(LIMITS))
    return items
