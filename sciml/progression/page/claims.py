"""The page's claims about forecasts: our number, its goal, whether it is met."""

from __future__ import annotations

from collections.abc import Iterator

from sciml.progression.cohorts.regions import DIAGNOSES
from sciml.progression.cohorts.regions import TITLES as REGION_TITLES
from sciml.progression.page.results import DENOISED, LONG, MAIN, MOVED, RATES, STILL, Forecasts, title_of
from sciml.progression.study.results import ChangeScore, Gain
from sciml.report.goals import UNKNOWN, Goal, judge
from sciml.report.reportlets import Claim

GAIN_DB = 1.0
CORRELATIONS = {"ventricle": 0.85, "hippocampus": 0.75}
WITHIN_GROUP = 0.5
SKILL = 0.5
AVERAGING, CHAINS = 0.75, (1, 8)
IDENTITY_POINTS = 1.5
OVER_VOLUMES_DB, OVER_LATENT_DB, VOLUMES_PERCENT, SPREAD = 0.7, 2.0, 1.0, 0.8
# percent, and the distance from it that still counts as held
HELD = (90.0, 5.0)
SEVERAL = "2 visits and more"
AT_LEAST, AT_MOST = "goal of this project, at least", "goal of this project, at most"


def forecast_claims(found: Forecasts | None) -> Iterator[Claim]:
    """Yield the claims; `not run` where nothing was compared."""
    for base, words in ((STILL, "no change"), (DENOISED, "a denoised no change")):
        text, interval = f"Forecast images after 3 years and more: PSNR in the brain above {words}", None
        ours, other = (None, None) if found is None else (found.psnr(MAIN, LONG), found.psnr(base, LONG))
        gain = None if ours is None or other is None else ours - other
        if found is not None and base == STILL and gain is not None and (score := found.gain(MAIN, LONG)):
            interval = interval_of(score) or UNKNOWN
            text += f" (95 % interval over subjects {score.low:.2f} to {score.high:.2f}, {score.n} pairs)"
        yield judged(Goal(text, AT_LEAST, "dB", at_least=GAIN_DB), gain, interval)
    for region, goal in CORRELATIONS.items():
        value = _value(found.change(MAIN, region) if found else None, "correlation")
        text = f"Change of the {REGION_TITLES[region]}: correlation of forecast with truth over all test pairs"
        yield judged(Goal(text, AT_LEAST, at_least=goal), value)
    for region in CORRELATIONS:
        values = [] if found is None else [_value(found.change(MAIN, region, name), "correlation") for name in DIAGNOSES]
        known = [value for value in values if value is not None]
        text = f"The same within a diagnosis, the least of the three: {REGION_TITLES[region]}"
        yield judged(Goal(text, AT_LEAST, at_least=WITHIN_GROUP), min(known, default=None))
    for region in CORRELATIONS:
        value = _value(found.change(MAIN, region) if found else None, "skill")
        text = f"Error of the change below that of no change, as a share (skill): {REGION_TITLES[region]}"
        yield judged(Goal(text, AT_LEAST, at_least=SKILL), value)
    yield from _moved(found)
    yield _courses(found)
    yield _averaging(found)
    yield _identity(found)
    yield _codes(found)


def _moved(found: Forecasts | None) -> Iterator[Claim]:
    """Yield what is asked of the subject's own scan, moved as forecast."""
    flow = None if found is None else found.metrics.flow
    gain = None if flow is None else flow.gain_over_volumes_db.get(LONG)
    text = "The scan moved as forecast, after 3 years and more: PSNR in the brain above the flow to the same volumes alone"
    if flow is not None:
        text += f" (below it in {100 * flow.lost:.0f} % of all pairs)"
    yield judged(
        Goal(text, AT_LEAST, "dB", at_least=OVER_VOLUMES_DB), gain and gain.mean, gain and (interval_of(gain) or UNKNOWN)
    )
    ours, other = (None, None) if found is None else (found.psnr(MOVED, LONG), found.psnr(MAIN, LONG))
    text = "The scan moved as forecast, after 3 years and more: PSNR in the brain above the latent diffusion model"
    yield judged(Goal(text, AT_LEAST, "dB", at_least=OVER_LATENT_DB), None if ours is None or other is None else ours - other)
    for region, goal in CORRELATIONS.items():
        values = [] if found is None else [_value(found.change(MOVED, region, name), "correlation") for name in DIAGNOSES]
        known = [value for value in values if value is not None]
        text = f"The scan moved as forecast: correlation of change within a diagnosis, the least: {REGION_TITLES[region]}"
        yield judged(Goal(text, AT_LEAST, at_least=goal), min(known, default=None))
    text = "Volumes of the moved labels: largest distance from those asked for, of any draw and region"
    yield judged(Goal(text, AT_MOST, "%", at_most=VOLUMES_PERCENT), flow and flow.volume_error_percent)
    text = "Least Jacobian determinant of all maps: above 0 none folds"
    yield judged(Goal(text, AT_LEAST, at_least=0.0), flow and flow.least_determinant)
    text = "Uncertainty of the moved scan, in parts of its error"
    spread = None if flow is None or not flow.error else flow.spread / flow.error
    yield judged(Goal(text, AT_LEAST, at_least=SPREAD), spread)
    for group in ("1 visit", SEVERAL):
        share = None if flow is None else flow.held.get(group)
        text = f"90 % intervals of the moved scan's voxels, {group}: voxels of the brain whose true value they hold"
        ends = share and interval_of(share)
        value = None if share is None or share.mean is None else 100 * share.mean
        interval = (100 * ends[0], 100 * ends[1]) if ends else share and UNKNOWN
        yield judged(Goal(text, "goal of this project, between 85 and 95", "%", within=HELD), value, interval)


def _averaging(found: Forecasts | None) -> Claim:
    text = f"Averaging {CHAINS[1]} chains: squared error of the latent, in parts of that of one chain"
    entry = found.metrics.averaging.get(MAIN) if found else None
    one, many = (None if entry is None else entry.error_of(count) for count in CHAINS)
    return judged(Goal(text, AT_MOST, at_most=AVERAGING), None if one is None or many is None else many / one)


def _courses(found: Forecasts | None) -> Claim:
    text = f"Change of the {REGION_TITLES['ventricle']}, {SEVERAL}: error in parts of that of {title_of(RATES)}"
    ours, rates = (
        _value(found.change(name, "ventricle", SEVERAL) if found else None, "mean_error_points") for name in (MAIN, RATES)
    )
    return judged(Goal(text, AT_MOST, at_most=1.0), ours / rates if ours is not None and rates else None)


def _codes(found: Forecasts | None) -> Claim:
    codes = found.metrics.autoencoder if found else None
    text = "Autoencoder: PSNR in the brain above as many cosine coefficients"
    gain = None
    if codes is not None and codes.psnr_db is not None and codes.cosines_psnr_db is not None:
        text += f" ({codes.numbers} numbers; {codes.psnr_db:.2f} against {codes.cosines_psnr_db:.2f} dB)"
        gain = codes.psnr_db - codes.cosines_psnr_db
    return judged(Goal(text, AT_LEAST, "dB", at_least=0.0), gain)


def _identity(found: Forecasts | None) -> Claim:
    text = "Asked for the first scan itself: largest mean change of a region that should be none"
    points = (found.metrics.zero_gap_points if found else None) or {}
    known = [value for value in points.values() if value is not None]
    return judged(Goal(text, AT_MOST, "%", at_most=IDENTITY_POINTS), max(known, default=None))


def _value(score: ChangeScore | None, name: str) -> float | None:
    return getattr(score, name, None)


def interval_of(gain: Gain) -> tuple[float, float] | None:
    """Return the interval of a gain, None where there are too few pairs for one."""
    return (gain.low, gain.high) if gain.n > 1 and gain.low is not None and gain.high is not None else None


def judged(goal: Goal, value: float | None, interval: tuple[float, float] | None = None) -> Claim:
    """Return the claim with three decimals shown."""
    return judge(goal, value, interval, shown=None if value is None else round(value, 3))
