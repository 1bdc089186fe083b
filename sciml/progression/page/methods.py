"""The methods text of the study: one paragraph a stage, with the parameters of what really ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sciml.progression.cohorts.regions import DIAGNOSES
from sciml.progression.config import RateConfig, SimulationConfig, TablesConfig
from sciml.progression.page.results import settings_of
from sciml.progression.settings.models import (
    FitCourseConfig,
    FitMotionConfig,
    PredictConfig,
    TrainAutoencoderConfig,
    TrainControlConfig,
    TrainDiffusionConfig,
)
from sciml.progression.settings.networks import TrainingBudget
from sciml.progression.settings.rates import QUOTED
from sciml.report.methods import Paragraph
from sciml.report.words import minus, sequence

# % a year
LAST_DIGIT = 0.01


def _simulate_text(parameters: Mapping[str, Any]) -> str:
    config = settings_of(SimulationConfig, parameters)
    people, atrophy, scanner = config.people, config.atrophy, config.scanner
    counts = ", ".join(f"{count} {split}" for split, count in config.subjects.items())
    if config.independent_rates:
        time = (
            f"Each of their {people.visits - 1} follow-ups has changes of its own, drawn region by region and independent of "
            "age and diagnosis: what is learned from them cannot read one region from another."
        )
    else:
        rate = atrophy.rates["hippocampus"]
        total = sum(people.laws.values())
        laws = ", ".join(f"{law} {100 * share / total:.0f} %" for law, share in people.laws.items())
        hippocampus = sequence(minus(f"{100 * one:.2f}") for one in (rate.CN, rate.MCI, rate.AD))
        time = (
            f"They were seen {people.visits} times, {people.gaps_years[0]:g} to {people.gaps_years[1]:g} years apart. "
            f"ln V changes at rates by diagnosis (hippocampus {hippocampus} % a year with "
            f"CN, MCI and AD), times a subject's pace with a standard deviation of its logarithm of {atrophy.pace_spread:g}, "
            f"which goes over time by a law of the subject's own ({laws}). "
            f"{rates_text(atrophy.rates)}"
        )
    return (
        f"Subjects ({counts}) were simulated on the {config.grid} grid: smooth invertible variants of the MNI152 template "
        "[@fonov2011] with labels from AAL [@tzourio2002]. A gradient flow that is closed at the skull, with a divergence in the "
        "span of the labels, moves every regional volume to its target; the idea to prescribe volume changes is that of "
        f"[@khanal2017]. {time} Every scan has a contrast of its subject, and its own smooth bias (standard deviation "
        f"{100 * scanner.bias:g} %) and Rician noise ({scanner.noise:g}; white matter has 0.8)."
    )


def rates_text(rates: Mapping[str, RateConfig]) -> str:
    """Return in words, with citations, which rates a study states, where the simulation's differ, and which are from memory."""
    stated = []
    for one in (one for one in QUOTED if one.basis):
        used = 100 * getattr(rates[one.region], one.diagnosis)
        bounds = "" if one.interval is None else f" ({-one.interval[1]:.2f} to {-one.interval[0]:.2f})"
        differs = "" if abs(used - one.percent) < LAST_DIGIT / 2 else f" (used here: {-used:.2f}, which no study states)"
        stated.append(f"{one.name} {-one.percent:g}{bounds} [@{one.reference}]{differs}")
    others = [f"{one.people} {-one.percent:g} [@{one.reference}]" for one in QUOTED if not one.basis]
    known = {(one.region, one.diagnosis) for one in QUOTED if one.basis}
    memory = []
    for region in rates:
        left = [diagnosis for diagnosis in DIAGNOSES if (region, diagnosis) not in known]
        if left:
            memory.append(region.replace("_", " ") + (f" {sequence(left)}" if len(left) < len(DIAGNOSES) else ""))
    return (
        f"Losses in % a year that studies state: {'; '.join(stated)}. Of the hippocampus they also state: {', '.join(others)}. "
        f"The other rates ({', '.join(memory)}) are from memory and of no single study; ventricles have the order AD > MCI > CN "
        "of [@nestor2008]."
    )


def _autoencoder_text(parameters: Mapping[str, Any]) -> str:
    config = settings_of(TrainAutoencoderConfig, parameters)
    network = config.network
    fold = f"{network.unshuffle} x {network.unshuffle} x {network.unshuffle} voxels to channels, then " * (network.unshuffle > 1)
    return (
        f"Autoencoder: {fold}{len(network.channels)} levels of {', '.join(map(str, network.channels))} channels to "
        f"{network.latent_channels} latent channels, trained with {_budget(config.budget)}; loss {network.l1_weight:g} L1 + "
        f"{network.squared_weight:g} squared error + {network.kl_weight:g} KL. Mean and scale of the latents were "
        "measured on "
        "all training scans and are part of the model."
    )


def _diffusion_text(parameters: Mapping[str, Any]) -> str:
    config = settings_of(TrainDiffusionConfig, parameters)
    form, network = config.form, config.network
    target = "the change of the latent, in its standard deviations" if form.target == "change" else "the follow-up's latent"
    told = "covariates at the follow-up and ten times their change" if form.context == "change" else "those at the follow-up"
    return (
        f"Diffusion model {config.name!r} [@puglisi2024; @puglisi2025]: a U-Net of "
        f"{', '.join(map(str, network.channels))} channels predicts {form.prediction.replace('_', ' ')} of {target}; the "
        f"anatomy comes in by {form.anatomy}, and of age, sex, diagnosis and volumes it is given {told}. Trained with "
        f"{_budget(config.budget)}."
    )


def _control_text(parameters: Mapping[str, Any]) -> str:
    config = settings_of(TrainControlConfig, parameters)
    return (
        f"ControlNet of {config.name!r}: it starts as a copy of the U-Net's first half that changes nothing, and learns "
        "from "
        f"pairs while the U-Net stays as it is; {_budget(config.budget)}."
    )


def _course_text(parameters: Mapping[str, Any]) -> str:
    kinds = settings_of(FitCourseConfig, parameters).kinds
    return (
        f"Volumes at later ages come from course models fitted to training subjects: {', '.join(kinds)}. The calibrated one is "
        "Huber's regression for one visit and Gaussian local rates [@rasmussen2006] for more, with intervals from the residuals "
        "of subjects left out, by number of visits and region (cross-conformal [@vovk2015]). They were tested on test subjects "
        "of the tables: coverage with exact binomial intervals over subjects, interval score and CRPS [@gneiting2007] of ln V, "
        "ratios of scores with bootstrap intervals over subjects [@efron1979]."
    )


def _motion_text(parameters: Mapping[str, Any]) -> str:
    subjects = settings_of(FitMotionConfig, parameters).subjects
    return (
        f"Forecasts by motion move the subject's own scan. Scans of up to {subjects} training subjects were registered by a "
        "stationary velocity, by Gauss-Newton steps beside the flow to their volumes. A ridge regression of that velocity, in "
        "bands of its frequencies, on age, sex and diagnosis, and what earlier scans of the subject show, say how it goes on."
    )


def _tables_text(parameters: Mapping[str, Any]) -> str:
    config = settings_of(TablesConfig, parameters)
    counts = ", ".join(f"{count} {split}" for split, count in config.subjects.items())
    return (
        f"Courses learn from volumes alone, of subjects without images ({counts}) who age as those of the cohort; their volumes "
        "are those of the template's labels in the subject's anatomy, changed as its law says. Each test subject lives once more "
        "under each law of pace alone."
    )


def _predict_text(parameters: Mapping[str, Any]) -> str:
    config = settings_of(PredictConfig, parameters)
    main = config.variants.get("main", next(iter(config.variants.values()))).how
    return (
        f"Every pair of visits of the {config.split} subjects was forecast in {len(config.variants)} ways, from "
        "all visits "
        f"up to the first of the pair; by default with {main.samples} chains of {main.steps} DDIM steps, "
        "averaged as "
        f"latents, {main.decoding} decoding and volumes of the model {main.course}."
    )


def _evaluate_text(parameters: Mapping[str, Any]) -> str:
    return (
        "Changes of volumes were read off the difference of two images: what a small change of each region would do to the "
        "first image, by the least-energy flow of its labels, was fitted to the difference near every region, all regions "
        "at once; a ridge regression on the calibration subjects, one for scans and one for decoded images, makes changes of "
        "volumes of the fitted numbers, its ridge chosen on calibration subjects left out. The filter of the denoised no "
        "change was chosen on validation subjects. Intervals are bootstraps over subjects [@efron1979]."
    )


def _budget(budget: TrainingBudget) -> str:
    limit = budget.cpu_minutes
    return (
        f"AdamW at {budget.learning_rate:g} for up to {budget.steps} steps of {budget.batch_size}"
        f"{'' if limit is None else f' or {limit:g} CPU minutes'}"
    )


PARAGRAPHS: dict[str, Paragraph] = {
    "progression.simulate": _simulate_text,
    "progression.train_autoencoder": _autoencoder_text,
    "progression.train_diffusion": _diffusion_text,
    "progression.train_controlnet": _control_text,
    "progression.simulate_tables": _tables_text,
    "progression.fit_course": _course_text,
    "progression.fit_motion": _motion_text,
    "progression.predict": _predict_text,
    "progression.evaluate": _evaluate_text,
}
