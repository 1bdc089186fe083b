"""The page's claims: each with our number, what it is held against, and whether it is met."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from sciml.deblurring.config import BIASES, EXACT, LEARNED, MISSING
from sciml.deblurring.page.dip import MAIN, paired, runs_of
from sciml.deblurring.page.numbers import Difference, gap_closed, has, pair_words, values
from sciml.deblurring.page.results import DEFAULT_MODEL, GIVEN, REFINED, Extra, Row, SetResults, StudyResults
from sciml.deblurring.page.sweeps import bias_of
from sciml.deblurring.settings.grid import DEFAULT, TRUE, parted
from sciml.deblurring.study.results import DipResult
from sciml.report.goals import UNKNOWN, Goal, binomial_interval, judge
from sciml.report.reportlets import Claim
from sciml.report.words import MINUS, counted, signed

AT_LEAST, AT_MOST = "goal of this study: at least so much", "goal of this study: at most so much"
SHIPPED = "residual/warm"
LOSS, SHARE, CORRELATION, MEAN_GAP, WORST_GAP, SECONDS = 0.1, 0.5, 0.3, 0.3, 1.0, 120.0


def dip_claims(dip: Extra[DipResult] | None) -> Iterator[Claim]:
    """Yield every claim on untrained networks; `not run` where the stage has not."""
    for start in ("cold", "warm"):
        yield residual_network_claim(dip, start)
    yield from shipped_claims(dip)
    yield correlation_claim(dip)
    yield from stop_claims(dip)


def residual_network_claim(dip: Extra[DipResult] | None, start: str) -> Claim:
    """Return what the residual network adds; met where the whole interval is above zero."""
    begin = {"cold": "without a start", "warm": "started from total variation"}[start]
    text = f"Untrained networks {begin}: the residual network improves the picture"
    gains = np.array([]) if dip is None else paired(dip, f"residual/{start}", f"none/{start}")
    found = Difference((), gains) if gains.size else None
    pairs = counted(gains.size, "pair")
    details = f", {pairs}, means over seeds; below the same fit without it in {found.losses}" if found else ""
    return _judge_gain(
        Goal(text, "idea of Tang et al. 2023; our goal: the interval lies above 0", "dB", at_least=0.0, strict=True),
        found,
        details,
    )


def shipped_claims(dip: Extra[DipResult] | None) -> Iterator[Claim]:
    """Yield whether the fit as shipped is safe, and whether that is more than returning the start."""
    safe = f"Untrained networks as shipped ({SHIPPED}): never more than {LOSS} dB below their start. Worst fit"
    share = f"Untrained networks as shipped ({SHIPPED}): share of fits that return the start unchanged"
    runs = [] if dip is None else runs_of(dip, SHIPPED)
    gains = np.array([run.psnr - run.psnr_start for run in runs])
    worst = float(gains.min()) if runs else None
    details = f" of {len(runs)}; mean {signed(float(gains.mean()))} dB" if runs else ""
    yield judge(
        Goal(safe, AT_LEAST, "dB", at_least=-LOSS), worst, details=details, shown=None if worst is None else signed(worst)
    )
    back = _mean([run.fell_back for run in runs])
    yield _judge(Goal(share, AT_MOST, at_most=SHARE), back, f", {counted(len(runs), 'fit')}" if runs else "")


def correlation_claim(dip: Extra[DipResult] | None) -> Claim:
    """Return how the residual of the network compares with the true one on turned and smoothed kernels."""
    text = "Residual of the untrained network on turned and smoothed kernels: mean correlation with the true one"
    runs = [] if dip is None else [*runs_of(dip, SHIPPED), *runs_of(dip, "residual/smoothing")]
    runs = [run for run in runs if run.error.startswith(("rotation", "smoothing")) and "+" not in run.error]
    # a residual that is zero everywhere has no correlation: it explains nothing
    found = _mean([(run.residual and run.residual.correlation) or 0.0 for run in runs])
    return _judge(Goal(text, AT_LEAST, at_least=CORRELATION), found, f", {counted(len(runs), 'fit')}" if runs else "")


def stop_claims(dip: Extra[DipResult] | None) -> Iterator[Claim]:
    """Yield what the stop rule costs against the best of each run, and the time."""
    runs = [] if dip is None else [run for run in dip.numbers.runs if run.cell in MAIN]
    gaps, times = [run.gap for run in runs], [run.seconds for run in runs]
    for words, bar, value in (("mean", MEAN_GAP, _mean(gaps)), ("largest", WORST_GAP, max(gaps, default=None))):
        text = f"Stop rule of untrained networks: {words} loss against the best iteration, which only the truth knows"
        yield _judge(Goal(text, AT_MOST, "dB", at_most=bar), value, f", {counted(len(runs), 'fit')}" if runs else "")
    goal = Goal("Untrained networks: processor time of a fit, mean", AT_MOST, "s", at_most=SECONDS)
    longest = max(times, default=None)
    details = f" over {counted(len(runs), 'fit')}, largest {longest:.0f} s; the goal is for each" if runs else ""
    yield judge(goal, longest, details=details, shown=round(float(np.mean(times)), 1) if runs else None)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _judge(goal: Goal, value: float | None, details: str = "") -> Claim:
    return judge(goal, value, details=details, shown=None if value is None else round(value, 3))


def _judge_gain(goal: Goal, found: Difference | None, details: str) -> Claim:
    """Return the claim about the mean of a difference, with its interval over pairs."""
    return judge(
        goal, found and found.mean, found and (found.interval or UNKNOWN), details=details, shown=found and found.words()
    )


PRIOR = parted(DEFAULT)[0]
BOUNDARY_GOAL = 4.0
REFINED_GOAL, REFINED_LOSS = 0.2, 0.1
OVER_REFINED, OVER_GIVEN = 0.8, 1.0
EACH_GOAL, SHARE_GOAL = 1.0, 0.8
SAFE_LOSS = 0.3
GAP_GOAL = 0.5
LEARNED_GOAL = 0.2
SWEEP_GOAL = 0.5
RESIDUAL_GOALS = {DEFAULT_MODEL: (("rotation",), 0.8), "kernel": (("rotation", "smoothing"), 0.3)}
MISSING_GAIN, MISSING_SAFE = 0.7, 0.95
RANK_GOAL, COVERAGE = 0.6, (90.0, 97.0)


def claims(study: StudyResults) -> Iterator[Claim]:
    """Yield every claim of the page; `not run` where its data are absent."""
    test = study.test
    yield from default_claims(test)
    yield from refined_claims(test)
    yield boundary_claim(test)
    yield from learned_claims(test)
    yield from sweep_claims(study)
    yield from missing_claims(study.sets.get(MISSING))
    yield from residual_claims(test)
    yield from spread_claims(study)
    yield from dip_claims(study.dip)


def default_claims(test: SetResults) -> Iterator[Claim]:
    """Yield what the default gains over both rivals, on which pairs, and where it must not lose."""
    for rival, bar, words in (
        (GIVEN, OVER_GIVEN, f"the given kernel ({GIVEN})"),
        (REFINED, OVER_REFINED, f"the kernel refined pixel by pixel ({REFINED})"),
    ):
        yield _gain_claim(test.rows, DEFAULT, rival, bar, f"The default {DEFAULT} gains over {words} on the mean of all pairs")
    yield share_claim(test)
    yield safe_claim(test)
    oracle = f"{PRIOR}/{TRUE}"
    gap = gap_closed(test.rows, DEFAULT, GIVEN, oracle)
    text = f"The default closes at least half of the gap between the given and the true kernel ({GIVEN} and {oracle}), means"
    details = "" if gap is None else f" over {counted(len(test.rows), 'pair')}"
    yield _judge(Goal(text, AT_LEAST, at_least=GAP_GOAL), gap, details)


def _gain_claim(rows: Sequence[Row], cell: str, rival: str, bar: float, text: str, metric: str = "psnr") -> Claim:
    found, details = Difference.of(rows, cell, rival, metric), ""
    if found is not None:
        worst = f"worst {signed(found.worst)} dB: {pair_words(found.worst_row)}"
        details = f"; below it in {found.losses} of {len(rows)} pairs, {worst}"
    return _judge_gain(Goal(text, AT_LEAST, "dB", at_least=bar), found, details)


def share_claim(test: SetResults) -> Claim:
    """Return on how many of the turned and scaled pairs the default is clearly above both rivals."""
    rows = test.of("rotation", "scale")
    same = sum(row.error.startswith(("rotation", "scale")) and "+" not in row.error for row in test.rows) - len(rows)
    alike = f"; {same} pairs whose turned kernel is the same kernel, as a disk's is, count as exact" if same else ""
    text = f"Turned and scaled kernels: share of the pairs with the default at least {EACH_GOAL:g} dB above {GIVEN} and {REFINED}"
    goal = Goal(text, AT_LEAST, at_least=SHARE_GOAL)
    both = [Difference.of(rows, DEFAULT, rival) for rival in (GIVEN, REFINED)]
    if both[0] is None or both[1] is None:
        return judge(goal, None)
    clear = np.minimum(both[0].gains, both[1].gains) >= EACH_GOAL
    details = f": {clear.sum()} of {len(rows)}{alike}"
    oracle = [Difference.of(rows, f"{PRIOR}/{TRUE}", rival) for rival in (GIVEN, REFINED)]
    if oracle[0] is not None and oracle[1] is not None:
        possible = np.minimum(oracle[0].gains, oracle[1].gains) >= EACH_GOAL
        details += f"; the true kernel itself is so in {possible.sum()}, the default in {(clear & possible).sum()} of these"
    return _judge(goal, int(clear.sum()) / len(rows), details)


def safe_claim(test: SetResults) -> Claim:
    """Return what the default loses at most where there is little to correct."""
    rows = test.of(EXACT, "truncation")
    text = f"Exact and truncated kernels: the default is never more than {SAFE_LOSS} dB below {GIVEN}. Worst pair"

    def more(mean: str) -> str:
        kept = sum(not row.step.of(DEFAULT_MODEL).by for row in rows)
        return f", mean {mean} dB, the given kernel kept in {kept}"

    return _worst_claim(rows, DEFAULT, SAFE_LOSS, text, more)


def _worst_claim(rows: Sequence[Row], cell: str, loss: float, text: str, more: Callable[[str], str] = lambda _: "") -> Claim:
    """Return the claim that a cell loses at most so much against the given kernel; `more` makes details of the mean in words."""
    goal, found = Goal(text, AT_LEAST, "dB", at_least=-loss), Difference.of(rows, cell, GIVEN)
    if found is None:
        return judge(goal, None)
    beyond = int((found.gains < -loss).sum())
    details = f" of {len(rows)}: {pair_words(found.worst_row)}; {beyond} below that limit{more(found.words())}"
    return judge(goal, found.worst, details=details, shown=signed(found.worst))


def refined_claims(test: SetResults) -> Iterator[Claim]:
    """Yield the fixed requirements on the kernel refined pixel by pixel."""
    yield _gain_claim(test.rows, REFINED, GIVEN, REFINED_GOAL, f"{REFINED} gains over {GIVEN} on the mean of all pairs")
    text = f"{REFINED} is never more than {REFINED_LOSS} dB below {GIVEN}. Worst pair"
    yield _worst_claim(test.rows, REFINED, REFINED_LOSS, text)


def boundary_claim(test: SetResults) -> Claim:
    """Return what the boundary of real pictures is worth, with the exact kernel."""
    text = "Exact kernel, total variation: the valid boundary gains over the circular one"
    return _gain_claim(test.scenes(), f"tv/{TRUE}", f"tv-circular/{TRUE}", BOUNDARY_GOAL, text)


def learned_claims(test: SetResults) -> Iterator[Claim]:
    """Yield what the learned prior gains over total variation with the exact kernel, in display values and in linear light."""
    text = f"Exact kernel, one weight each: the learned prior {LEARNED} gains over total variation"
    for metric, words in (("psnr", "display values"), ("psnr_light", "linear light, in which it is restored")):
        yield _gain_claim(test.scenes(), f"{LEARNED}/{TRUE}", f"tv/{TRUE}", LEARNED_GOAL, f"{text}; PSNR of {words}", metric)


def missing_claims(found: SetResults | None) -> Iterator[Claim]:
    """Yield what the default gains on camera shakes without 30 to 60 % of their pixels, and how often it loses."""
    text = "Camera shakes without 30 to 60 % of their pixels: "
    share = Goal(f"{text}share of pairs with {DEFAULT} at most {SAFE_LOSS} dB below {GIVEN}", AT_LEAST, at_least=MISSING_SAFE)
    rows = [] if found is None else found.rows
    yield _gain_claim(rows, DEFAULT, GIVEN, MISSING_GAIN, f"{text}{DEFAULT} gains over {GIVEN} on the mean")
    gains = Difference.of(rows, DEFAULT, GIVEN)
    if gains is None:
        yield judge(share, None)
        return
    safe, count = int((gains.gains >= -SAFE_LOSS).sum()), len(rows)
    yield judge(share, safe / count, binomial_interval(safe, count), details=f": {safe} of {count}", shown=round(safe / count, 3))


def sweep_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield, for each sweep, the larger of the default's two losses at the ends, as a share of what the given kernel loses."""
    for word in BIASES:
        text = f"Kernel with a wrong {word}: loss of the default at the largest bias, as a share of the loss of {GIVEN}"
        shares = sweep_shares(study.sets[word]) if word in study.sets else {}
        parts = ", ".join(f"{bias:+g}: {share:.2f}".replace("-", MINUS) for bias, share in shares.items())
        details = f", the larger of both ends ({parts})" if shares else ""
        yield _judge(Goal(text, AT_MOST, at_most=SWEEP_GOAL), max(shares.values(), default=None), details)


def sweep_shares(sweep: SetResults) -> dict[float, float]:
    """Return by bias, at both ends, (p_0 - p_default(bias)) / (p_0 - p_given(bias)), p_0 the
    mean of the given kernel without bias.

    One reference for both, so that nobody gains by being poor without bias. An end where the given kernel loses less than 0.1 dB
    is left out.
    """
    rows = {bias: [row for row in sweep.rows if bias_of(row) == bias] for bias in {bias_of(row) for row in sweep.rows}}
    if 0 not in rows or len(rows) < 2 or not has(sweep.rows, DEFAULT, GIVEN):
        return {}
    start = float(values(rows[0], GIVEN).mean())
    found = {}
    for bias in sorted({min(rows), max(rows)} - {0}):
        lost, ours = (start - float(values(rows[bias], cell).mean()) for cell in (GIVEN, DEFAULT))
        if lost >= 0.1:
            found[bias] = max(0.0, ours / lost)
    return found


def residual_claims(test: SetResults) -> Iterator[Claim]:
    """Yield how the estimated residual correlates with the true one."""
    for model, (kinds, bar) in RESIDUAL_GOALS.items():
        names = {"rotation": "turned", "smoothing": "smoothed"}
        where = " and ".join(names[name] for name in kinds)
        text = f"Residual of {PRIOR}/{model} on {where} kernels: mean correlation with the true one"
        rows = [row for row in test.of(*kinds) if model in row.residuals]
        kept = sum(row.residuals[model].correlation is None for row in rows)
        details = f", {counted(len(rows), 'pair')}, {kept} of them without any residual count as 0" if rows else ""
        value = _mean([row.residuals[model].correlation or 0.0 for row in rows])
        yield _judge(Goal(text, AT_LEAST, at_least=bar), value, details)


def spread_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield whether the map of spreads tells where the picture is wrong, and by how much."""
    rows = [] if study.calibration is None else study.calibration.numbers.test
    ranks, shares = [row.rank_correlation for row in rows], [row.coverage for row in rows]
    text = "Map of spreads: mean rank correlation with the error on blocks of 7 x 7 pixels"
    details = f", {counted(len(rows), 'test pair')}, least {min(ranks):.2f}" if rows else ""
    yield _judge(Goal(text, AT_LEAST, at_least=RANK_GOAL), _mean(ranks), details)
    low, high = COVERAGE
    text = "Map of spreads: pixels within \u00b1 2 spreads after factor and floor were fitted on validation pairs, mean"
    middle, wanted = (low + high) / 2, f"{low:g} to {high:g}"
    goal = Goal(text, "goal of this study", "%", within=(middle, high - middle), reference=wanted)
    # every pair is to lie within: the farthest one is judged
    inside = sum(low <= 100 * share <= high for share in shares)
    details = (
        f" over {counted(len(rows), 'test pair')}; {inside} pairs lie within the goal, which is for each, "
        f"the least has {100 * min(shares):.0f} %"
        if rows
        else ""
    )
    farthest = max((100 * share for share in shares), key=lambda share: abs(share - middle), default=None)
    yield judge(goal, farthest, details=details, shown=100 * float(np.mean(shares)) if rows else None)
