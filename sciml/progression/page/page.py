"""The page of the study of brain progression, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sciml.datasets.cards import data_text
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.cohorts.regions import TITLES as REGION_TITLES
from sciml.progression.config import PageConfig
from sciml.progression.page.ablations import ablation_tables
from sciml.progression.page.claims import forecast_claims, interval_of
from sciml.progression.page.cohort import cohort_checks, cohort_claims, cohort_reportlets
from sciml.progression.page.courses import interval_claims, interval_numbers, interval_reportlets, interval_sentence
from sciml.progression.page.forecasts import forecast_reportlets
from sciml.progression.page.methods import PARAGRAPHS
from sciml.progression.page.person import person_claims, person_reportlets, person_text
from sciml.progression.page.results import ALL, LONG, MAIN, MOVED, STILL, Forecasts, StudyResults, read_study, title_of
from sciml.progression.page.training import autoencoder_table, latent_curve, training_reportlets
from sciml.progression.page.trajectories import trajectory_reportlets
from sciml.report.reportlets import Checks, Curve, Figure, Gallery, Reportlet, Scrubber
from sciml.report.study import Comparison, Number, StudyPage, Tab, absent
from sciml.report.words import counted, with_interval

QUESTION = (
    "Can a brain MRI be forecast years ahead from a subject's own scans, and how would we know? On a cohort of simulated "
    "subjects with real anatomy, whose every volume at every age is known."
)
BANNER = "Subjects and time are simulated from a real template; only Colin27 was scanned. Not for clinical use."
READING = """**Every subject on this page but Colin27 is simulated.** The anatomy is a real template, warped into
subjects; their ageing is a law that the program knows. A model that does well here has learned a known law, and nothing
clinical follows. Not for
clinical use.

- A region's **change** is that of ln V, in points: 100 ln(V later / V first), close to percent.
- **No change** forecasts the first scan itself."""
LIMITS = (
    "Subjects are variants of one average template: smooth cortex, no change of topology; their lesions and scanners are made.",
    "Flows are irrotational. Regional volumes do not depend on that choice; shapes do, such as that of the ventricles.",
    "The shipped autoencoder and diffusion model were trained before the subjects had patterns, lesions and other scanners.",
    "Rates follow one of a few laws of pace over time. Real ones follow none.",
    "Most rates are from memory and come from no single study; the methods text says which.",
    "Not for clinical use.",
)
MEASURED = ("ventricle", "hippocampus")
MOST_NUMBERS = 6


def study_page(config: PageConfig, results: Path) -> StudyPage:
    """Return the page of the study; what has not run is `not run` among the claims and named under the limits.

    Args:
        config: tier of the run.
        results: results folder of the study.

    Raises:
        DataError: no cohort has been simulated.
    """
    study = read_study(results)
    found = study.forecasts
    tabs: dict[str, Sequence[Reportlet]] = {
        "Forecasts": [*forecast_reportlets(found, study.cohort)] if found else [],
        "Year by year": [*trajectory_reportlets(found)] if found else [],
        "Intervals": list(interval_reportlets(study.intervals)),
        "Autoencoder": [autoencoder_table(found), latent_curve(found)] if found else [],
        "Design": ablation_tables(study.ablations) if study.ablations is not None else [],
        "A real brain": list(person_reportlets(results, found)),
        "Training": list(training_reportlets(study.trainings, found)),
        "Cohort": list(cohort_reportlets(study.cohort, study.accuracy)),
    }
    first = next((title for title, items in tabs.items() if any(is_picture(item) for item in items)), None)
    picture = None if first is None else next(item for item in tabs[first] if is_picture(item))
    return StudyPage(
        "progression",
        "Brain latent progression",
        QUESTION,
        config.tier,
        answer(study),
        picture=picture,
        numbers=list(numbers(study))[:MOST_NUMBERS],
        claims=[
            *forecast_claims(found),
            *interval_claims(study.intervals),
            *person_claims(results),
            *cohort_claims(study.accuracy),
        ],
        tabs=[Tab(title, left) for title, items in tabs.items() if (left := [one for one in items if one is not picture])],
        checks=[Checks(list(cohort_checks(study.accuracy)))],
        reading=READING,
        records=study.records,
        further_records=study.further_records,
        paragraphs={**PARAGRAPHS, "progression.person": person_text},
        closing=[data_text([*study.records, *study.further_records])],
        limits=LIMITS,
        missing=absent(
            {
                "forecasts": found,
                "intervals of volumes": study.intervals,
                "a real brain": tabs["A real brain"],
                "trainings": study.trainings,
            }
        ),
        banner=BANNER,
        data_tier=config.data_tier,
    )


def is_picture(item: Reportlet) -> bool:
    """Return whether a reportlet may open the page."""
    return isinstance(item, Scrubber | Figure | Gallery) and not isinstance(item, Curve)


def change_of(found: Forecasts, region: str) -> Comparison | None:
    """Return our error of a region's change beside that of the strongest rival that is no model of ours, pair by pair.

    The error is |predicted - true change of ln V| in points; a ceiling, which was told the truth, is no rival.
    """
    index, truth = REGIONS.index(region), found.changes["truth"]
    rivals = [name for name, entry in found.methods.items() if entry.kind == "baseline" and name in found.changes]
    cases = {
        title_of(name): (100 * np.abs(found.changes[name][:, index] - truth[:, index])).tolist()
        for name in (ours(found), *rivals)
        if name in found.changes
    }
    return Comparison.of(f"{REGION_TITLES[region]}: error of the change", cases, title_of(ours(found)), "points", larger=False)


def image_rival(found: Forecasts, group: str) -> tuple[str, float] | None:
    """Return the baseline whose images are nearest to the truth in a group of pairs, and its PSNR in the brain, in dB."""
    scores = {
        name: score
        for name, entry in found.methods.items()
        if entry.kind == "baseline" and (score := found.psnr(name, group)) is not None
    }
    return max(scores.items(), key=lambda pair: pair[1], default=None)


def ours(found: Forecasts) -> str:
    """Return the method that forecasts are made by: the subject's own scan moved, where that ran, else the diffusion model."""
    return MOVED if MOVED in found.methods else MAIN


def group_of(found: Forecasts) -> str:
    """Return the pairs that the images are judged by: those of three years and more where there are any."""
    return LONG if found.psnr(ours(found), LONG) is not None else ALL


def answer(study: StudyResults) -> str:
    """Return what forecasts add over doing nothing, over volumes alone and over diffusion, and how often intervals hold."""
    found = study.forecasts
    intervals = interval_sentence(study.intervals)
    if found is None:
        return (
            f"No forecasts were compared in this run; {counted(study.accuracy.subjects, 'subject')} were simulated. {intervals}"
        )
    group, name = group_of(found), ours(found)
    gain = found.gain(name, group)
    if gain is None or gain.mean is None:
        return f"No images of {counted(study.accuracy.subjects, 'subject')} were compared in this run. {intervals}"
    ahead = "three years and more ahead" if group == LONG else "over all gaps"
    moved, flow = ("The subject's own scan, moved as forecast, is", found.metrics.flow) if name == MOVED else ("Images are", None)
    said = [
        f"{moved} {with_interval(gain.mean, interval_of(gain), 'dB', sign=True)} nearer to the truth than no change {ahead} "
        f"({counted(gain.n, 'pair')})"
    ]
    more = None if flow is None else flow.gain_over_volumes_db.get(group)
    if flow is not None and more is not None and more.mean is not None:
        beside = with_interval(more.mean, interval_of(more), "dB", sign=True)
        said.append(f"{beside} of it beside the flow to the same volumes, which is ahead in {100 * flow.lost:.0f} % of the pairs")
    latent, mine = found.psnr(MAIN, group), found.psnr(name, group)
    if name != MAIN and latent is not None and mine is not None:
        said.append(f"the latent diffusion model is {mine - latent:.1f} dB behind")
    return f"{'; '.join(said)}. {intervals}".strip()


def numbers(study: StudyResults) -> Iterator[Number]:
    """Yield the gain over no change and over the flow to the volumes, the diffusion model beside it, and intervals."""
    found = study.forecasts
    if found is not None:
        group, name = group_of(found), ours(found)
        years = "3 years and more ahead" if group == LONG else "all gaps"
        gain, mine = found.gain(name, group), found.psnr(name, group)
        if gain is not None and gain.mean is not None:
            yield Number(
                f"Gain of the image over no change, {years}", gain.mean, "dB", interval_of(gain),
                title_of(MAIN) if name != MAIN else title_of(STILL),
                getattr(found.gain(MAIN, group), "mean", None) if name != MAIN else found.psnr(STILL, group),
            )  # fmt: skip
        more = None if found.metrics.flow is None else found.metrics.flow.gain_over_volumes_db.get(group)
        if more is not None and more.mean is not None:
            yield Number("Of it, beside the flow to the same volumes", more.mean, "dB", interval_of(more))
        rival = image_rival(found, group)
        if mine is not None and rival is not None:
            yield Number(f"PSNR in the brain, {years}", mine, "dB", None, title_of(rival[0]), rival[1])
        for region in MEASURED:
            if (one := change_of(found, region)) is not None:
                yield one.number(one.text)
    yield from interval_numbers(study.intervals)
