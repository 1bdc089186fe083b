"""Ablations on the page: one change at a time between the published and the residual form, on validation subjects."""

from __future__ import annotations

from collections.abc import Iterator

from sciml.progression.cohorts.regions import TITLES as REGION_TITLES
from sciml.progression.page.claims import judged
from sciml.progression.page.results import ALL, Ablations, cells
from sciml.progression.settings.networks import FORMS, FormConfig
from sciml.progression.study.results import MethodScores
from sciml.report.goals import Goal
from sciml.report.reportlets import Claim, Column, Table, Value
from sciml.report.study import Ablation, comparison_tables
from sciml.report.words import minus

REGIONS_SHOWN = ("ventricle", "hippocampus")
CHAINS = (1, 8)
BASES = ("residual", "official")
WORDS = {"residual": "residual", "official": "published"}
SWITCHES = {
    ("target", "change"): "learns the change",
    ("target", "followup"): "learns the follow-up",
    ("prediction", "v_prediction"): "predicts v",
    ("prediction", "epsilon"): "predicts noise",
    ("anatomy", "concatenation"): "start concatenated",
    ("anatomy", "controlnet"): "start by ControlNet",
    ("context", "change"): "given changes too",
    ("context", "followup"): "given later values only",
}
CEILINGS = {"residual": "decoded_true_change", "direct": "decoded_truth"}


def ablations(found: Ablations) -> list[Ablation]:
    """Return the scores of every form and decoding, each beside the form that it is a change of."""
    made = []
    names = {(variant.form, variant.how.decoding): name for name, variant in found.variants.items()}
    for form in sorted({variant.form for variant in found.variants.values()}, key=_order):
        for decoding in CEILINGS:
            name = names[form, decoding]
            words, reference = _names(form)
            numbers: dict[str, Value] = {"decoding": decoding, **_scores(found.metrics.methods[name])}
            numbers |= {f"m_{count}": _latent_error(found, name, count) for count in CHAINS}
            made.append(Ablation(name, words, reference, numbers))
    return made


def columns() -> list[Column]:
    """Return the columns of the numbers."""
    regions = [
        column
        for region in REGIONS_SHOWN
        for column in (
            Column(f"{region}_correlation", f"{REGION_TITLES[region]}: correlation", "", "up", 2),
            Column(f"{region}_skill", "skill", "", "up", 2),
        )
    ]
    latent = [Column(f"m_{count}", f"latent, {count} chain{'s' * (count > 1)}", "of no change", "down", 2) for count in CHAINS]
    return [Column("gain", "PSNR gain", "dB", "up", 2), Column("decoding", "decoding"), *regions, *latent]


def table_words(found: Ablations) -> tuple[str, str, str]:
    """Return title, caption and note of the table."""
    gains = (_gain(found.metrics.methods[name]) for name in CEILINGS.values())
    most = {decoding: minus(f"{gain:.2f}") for decoding, gain in zip(CEILINGS, gains, strict=True)}
    caption = (
        f"{found.metrics.pairs} pairs of {found.metrics.people} validation subjects; PSNR in the brain above no change, "
        "correlation and skill of changes of ln V, squared error of the latent in parts of that of no change. Every form "
        "was trained for the same short time, so compare rows with each other, not with the forecasts of the study. A "
        "change that makes the residual form worse and, reversed, the published form better is one that matters; one that "
        "does neither does not."
    )
    note = (
        f"Decoding changes no latent. The true latent of the follow-up would gain {most['residual']} dB by residual "
        f"decoding and {most['direct']} dB decoded directly."
    )
    return "One change at a time", caption, note


def ablation_tables(found: Ablations) -> list[Table]:
    """Return the tables on the page of the study."""
    title, caption, note = table_words(found)
    return list(comparison_tables(ablations(found), columns(), title, caption, note))


def ablation_claims(found: Ablations) -> Iterator[Claim]:
    """Yield what either form reaches in the short time: whether its latents are nearer than those of the first scan."""
    for base in BASES:
        name = next((name for name, variant in found.variants.items() if variant.form == f"short_{base}"), None)
        ratio = _latent_error(found, name, CHAINS[1]) if name else None
        what = f"error of the latent, mean of {CHAINS[1]} chains, in parts of that of no change"
        text = f"The {WORDS[base]} form after the short time: {what}"
        yield judged(Goal(text, "no change, below", at_most=1, strict=True), ratio)


def _latent_error(found: Ablations, name: str, count: int) -> float | None:
    """Return the squared error of the latent after averaging chains, in parts of that of no change."""
    entry = found.metrics.averaging[name]
    return entry.relative(entry.error_of(count))


def _scores(entry: MethodScores) -> dict[str, Value]:
    row: dict[str, Value] = {"gain": _gain(entry)}
    for region in REGIONS_SHOWN:
        row |= cells(region, entry.changes[region][ALL], "correlation", "skill")
    return row


def _gain(entry: MethodScores) -> float | None:
    return entry.gain_db[ALL].mean if entry.gain_db else None


def _order(form: str) -> tuple[int, int, str]:
    base, switch = _parts(form)
    switches = [None, *FormConfig.model_fields]
    return (
        BASES.index(base) if base in BASES else len(BASES),
        switches.index(switch) if switch in switches else len(switches),
        form,
    )


def _parts(form: str) -> tuple[str, str | None]:
    """Return base and switch of a form's name: `residual_with_target`, `short_residual`."""
    base, _, switch = form.partition("_with_")
    return base.removeprefix("short_"), switch or None


def _names(form: str) -> tuple[str, str]:
    """Return what a form changes in words, and the form that it is a change of."""
    base, switch = _parts(form)
    if base not in BASES or switch not in (None, *FormConfig.model_fields):
        return form.replace("_", " "), form.replace("_", " ")
    other = FORMS[BASES[1 - BASES.index(base)]]
    return "nothing" if switch is None else SWITCHES[switch, getattr(other, switch)], f"the {WORDS[base]} form"
