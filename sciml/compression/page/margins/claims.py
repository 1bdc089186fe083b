"""Claims about quality and bits beside other codecs, on crops chosen by a rule, with intervals over photographs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sciml.compression.page.goals import (
    AT_LEAST,
    AT_MOST,
    BD_AVIF_3,
    BD_HEVC,
    BD_HEVC_BEYOND,
    BD_JPEG,
    BD_MS_SSIM,
    BD_WEBP,
    LOST,
    OVER_WEBP,
    OVER_WEBP_ELSEWHERE,
    PEER,
    PHOTOGRAPHS,
)
from sciml.compression.page.published import HYPERPRIOR, WHERE, against_jpeg
from sciml.compression.page.style import judged_title
from sciml.compression.study.margins.codecs import NEURAL, OURS, OURS_MS_SSIM
from sciml.compression.study.margins.statistics import RATES_BPP, Margin, Margins
from sciml.compression.study.quality import MS_SSIM, PSNR, Metric
from sciml.report.goals import UNKNOWN, Goal, judge
from sciml.report.reportlets import Claim
from sciml.report.words import counted, listed, percent

SLOW = "avif-3"
HIGH_BPP = RATES_BPP[-2:]


def margin_claims(margins: Margins | None) -> Iterator[Claim]:
    """Yield every claim beside other codecs; `not run` where nothing was judged or a codec is absent."""
    yield from _leads_over_webp(margins)
    yield from _beside_avif(margins)
    yield _saving(margins, "BD-rate against JPEG (PSNR)", OURS, "jpeg", PSNR, BD_JPEG)
    yield _saving(margins, "BD-rate against WebP (PSNR)", OURS, "webp", PSNR, BD_WEBP)
    yield _saving(margins, "BD-rate against AVIF at its default speed (PSNR)", OURS, "avif", PSNR, 0.0)
    yield _saving(margins, "BD-rate against AVIF at speed 3 (PSNR)", OURS, SLOW, PSNR, BD_AVIF_3)
    yield _saving(margins, "BD-rate against AVIF at speed 0, its slowest (PSNR)", OURS, "avif-0", PSNR, 0.0)
    text = "BD-rate against HEVC intra 4:4:4 (PSNR), the level of"
    yield _saving(margins, f"{text} the scale hyperprior by published differences", OURS, "hevc-444", PSNR, BD_HEVC)
    yield _saving(margins, f"Beyond: {text} the mean-scale hyperprior", OURS, "hevc-444", PSNR, BD_HEVC_BEYOND)
    yield _slope(margins)
    text = "Tuned for MS-SSIM: bits at equal MS-SSIM against AVIF at its default speed"
    yield _saving(margins, text, OURS_MS_SSIM, "avif", MS_SSIM, BD_MS_SSIM)
    yield from _neural(margins)
    yield _published(margins)


def enough(margins: Margins) -> bool:
    """Return whether there are as many photographs as the goals ask."""
    return margins.photographs >= PHOTOGRAPHS


def over_words(margins: Margins, margin: Margin) -> str:
    """Return over what a margin goes and how many crops are lost, in parentheses."""
    crops = counted(len(margin.by_crop), "crop")
    of = counted(len({margins.file.photographs[crop] for crop in margin.by_crop}), "photograph")
    return f" ({crops} of {of}; lost on {percent(margin.lost or 0, 0)})"


def _judged(margins: Margins, goal: Goal, margin: Margin, digits: int = 2) -> Claim:
    if margin.mean is None:
        return judge(goal, None)
    words = "" if margin.interval is None else f"; 95 % interval {listed(margin.interval, f'+.{digits}f')} {goal.unit}"
    details = over_words(margins, margin).removesuffix(")") + f"{words})"
    return judge(goal, margin.mean, margin.interval or UNKNOWN, enough(margins), details, round(margin.mean, digits))


def _least(margins: Margins, own: str, other: str, metric: Metric, rates: Sequence[float]) -> tuple[float, Margin] | None:
    """Return the rate at which the mean lead is least, and the lead there; None where a rate has none."""
    found = [(rate, margins.lead(own, other, rate, metric)) for rate in rates]
    if any(margin.mean is None for _, margin in found):
        return None
    return min(found, key=lambda pair: pair[1].mean or 0.0)


def _lead(margins: Margins | None, text: str, other: str, metric: Metric, rates: Sequence[float], bar: float) -> Claim:
    goal = Goal(text, AT_LEAST, "dB", at_least=bar)
    found = None if margins is None else _least(margins, OURS, other, metric, rates)
    if margins is None or found is None:
        return judge(goal, None)
    rate, margin = found
    return _judged(margins, Goal(f"{text}; least at {rate:g} bpp", AT_LEAST, "dB", at_least=bar), margin)


def _leads_over_webp(margins: Margins | None) -> Iterator[Claim]:
    low, middle, *high = RATES_BPP
    yield _lead(margins, f"PSNR above WebP at {middle:g} bpp", "webp", PSNR, (middle,), OVER_WEBP)
    others = (low, *high)
    text = f"PSNR above WebP at {', '.join(f'{rate:g}' for rate in others)} bpp"
    yield _lead(margins, text, "webp", PSNR, others, OVER_WEBP_ELSEWHERE)
    yield _lead(margins, "MS-SSIM above WebP at all rates, as −10 log10(1 − v)", "webp", MS_SSIM, RATES_BPP, 0.0)


def _beside_avif(margins: Margins | None) -> Iterator[Claim]:
    span = f"from {RATES_BPP[0]:g} to {RATES_BPP[-1]:g} bpp"
    for codec, name in (("avif", "AVIF at its default speed"), (SLOW, "AVIF at speed 3")):
        yield _lead(margins, f"PSNR above {name}: no rate {span} behind it on the mean", codec, PSNR, RATES_BPP, 0.0)
        text = f"Crops on which PSNR is below {name}, at the worst rate {span}"
        goal = Goal(text, AT_MOST, "%", at_most=LOST)
        found = [] if margins is None else [(rate, margins.lead(OURS, codec, rate, PSNR)) for rate in RATES_BPP]
        shares = {rate: margin.lost for rate, margin in found if margin.lost is not None}
        if margins is None or len(shares) < len(RATES_BPP):
            yield judge(goal, None)
            continue
        each = listed([100 * share for share in shares.values()], ".0f")
        details = f" ({each} %; {counted(len(margins.crops), 'crop')} of {counted(margins.photographs, 'photograph')})"
        yield judge(
            goal, 100 * max(shares.values()), enough=enough(margins), details=details, shown=round(100 * max(shares.values()))
        )


def _saving(margins: Margins | None, text: str, own: str, other: str, metric: Metric, bar: float) -> Claim:
    goal = Goal(text, AT_MOST, "%", at_most=bar)
    return judge(goal, None) if margins is None else _judged(margins, goal, margins.saving(own, other, metric), 1)


def _slope(margins: Margins | None) -> Claim:
    low, high = HIGH_BPP
    text = f"PSNR gained from {low:g} to {high:g} bpp beside what AVIF at speed 3 gains"
    goal = Goal(text, AT_LEAST, "dB", at_least=0.0)
    if margins is None:
        return judge(goal, None)
    leads = [margins.lead(OURS, SLOW, rate, PSNR).by_crop for rate in HIGH_BPP]
    margin = margins.margin({crop: leads[1][crop] - leads[0][crop] for crop in leads[0] if crop in leads[1]}, -1)
    return _judged(margins, goal, margin)


def _neural(margins: Margins | None) -> Iterator[Claim]:
    """Yield the neural preset beside others, by the bits at equal PSNR where both reach."""
    for other in (OURS, "jpeg", "webp"):
        name = judged_title(other)
        goal = Goal(
            f"Neural preset beside {name}: bits at equal PSNR, as few as the other's", f"{name}, {PEER}", "%", at_most=0.0
        )
        yield judge(goal, None) if margins is None else _judged(margins, goal, margins.saving(NEURAL, other, PSNR), 1)


def _published(margins: Margins | None) -> Claim:
    theirs = against_jpeg(HYPERPRIOR)
    text = f"BD-rate against JPEG (PSNR), ours on these crops, beside the {HYPERPRIOR} on Kodak's pictures"
    source, shown = f"{WHERE}; computed from its points", None if theirs is None else round(theirs, 1)
    goal = Goal(text, source, "%", at_most=theirs, reference=shown)
    return judge(goal, None) if margins is None else _judged(margins, goal, margins.saving(OURS, "jpeg", PSNR), 1)
