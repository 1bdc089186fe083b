"""The page of the study of brain progression, from its artefacts alone."""

from __future__ import annotations

from pathlib import Path

from sciml.progression.config import PageConfig
from sciml.progression.page import methods  # noqa: F401 (registers the methods text)
from sciml.progression.page.ablations import ablation_table
from sciml.progression.page.claims import forecast_claims
from sciml.progression.page.cohort import cohort_checks, cohort_claims, cohort_reportlets
from sciml.progression.page.forecasts import forecast_reportlets
from sciml.progression.page.person import person_claims, person_reportlets
from sciml.progression.page.results import read_study
from sciml.progression.page.training import autoencoder_table, latent_curve, training_reportlets
from sciml.progression.page.trajectories import trajectory_reportlets
from sciml.report.reportlets import Checks, Limits, Methods, Provenance, Reportlet, Text, Verdict

READING = """**Everybody on this page but Colin27 is simulated.** The anatomy is a real template, warped into people; their ageing
is a law that the program knows. A model that does well here has learned a known law, and nothing clinical follows. Not for
clinical use.

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


def reportlets(_config: PageConfig, results: Path) -> list[Reportlet]:
    """Return everything that the page shows; what has not run is `not run` among the claims and a sentence under the limits.

    Args:
        _config: tier of the run, which the stage writes above the page.
        results: results folder of the study.

    Raises:
        DataError: no cohort has been simulated.
    """
    study = read_study(results)
    claims = [*forecast_claims(study.forecasts), *person_claims(results), *cohort_claims(study.accuracy)]
    items: list[Reportlet] = [Verdict(claims), Text("How to read this page", READING)]
    if study.forecasts is not None:
        items += [*forecast_reportlets(study.forecasts, study.cohort), *trajectory_reportlets(study.forecasts)]
        items += [autoencoder_table(study.forecasts), latent_curve(study.forecasts)]
    if study.ablations is not None:
        items.append(ablation_table(study.ablations))
    items += person_reportlets(results, study.forecasts)
    items += training_reportlets(study.trainings, study.forecasts)
    items += cohort_reportlets(study.cohort, study.accuracy)
    items.append(Checks(list(cohort_checks(study.accuracy))))
    items.append(Methods([{"stage": record["stage"], "parameters": record["config"]} for record in study.records]))
    items.append(Provenance([*study.records, *study.further_records]))
    missing = [] if study.forecasts is not None else ["No forecasts were compared in this run, so none are shown."]
    items.append(Limits([*missing, *LIMITS]))
    return items
