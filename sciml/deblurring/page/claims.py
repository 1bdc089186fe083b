"""The page's claims: each with our number, what it is held against, and whether it is met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sciml.deblurring.config import BIASES, EXACT, LEARNED
from sciml.deblurring.page.dip import MAIN, paired, runs_of
from sciml.deblurring.page.numbers import Difference, gap_closed, has, pair_words, signed, values
from sciml.deblurring.page.results import DEFAULT_MODEL, GIVEN, REFINED, Extra, Row, SetResults, StudyResults
from sciml.deblurring.page.sweeps import bias_of
from sciml.deblurring.settings.grid import DEFAULT, TRUE, parted
from sciml.report.reportlets import Claim

AT_LEAST, AT_MOST = "goal of this study: at least so much", "goal of this study: at most so much"
SHIPPED = "residual/warm"
LOSS, SHARE, CORRELATION, MEAN_GAP, WORST_GAP, SECONDS = 0.1, 0.5, 0.3, 0.3, 1.0, 120.0


def dip_claims(dip: Extra | None) -> Iterator[Claim]:
    """Yield every claim on untrained networks; `not run` where the stage has not."""
    for start in ("cold", "warm"):
        yield residual_network_claim(dip, start)
    yield from shipped_claims(dip)
    yield correlation_claim(dip)
    yield from stop_claims(dip)


def residual_network_claim(dip: Extra | None, start: str) -> Claim:
    """Return what the residual network adds; met where the whole interval is above zero."""
    begin = {"cold": "without a start", "warm": "started from total variation"}[start]
    text = f"Untrained networks {begin}: the residual network improves the picture"
    source = "idea of Tang et al. 2023; our goal: the interval lies above 0"
    gains = np.array([]) if dip is None else paired(dip, f"residual/{start}", f"none/{start}")
    if not gains.size:
        return Claim(text, None, 0.0, source, "dB")
    found = Difference([{}] * gains.size, gains)
    clear = found.interval is not None and found.interval[0] > 0
    status: Any = "reproduced" if clear else "partly" if found.mean > 0 else "not"
    said = f"{text}, {gains.size} pairs, means over seeds; below the same fit without it in {found.losses}"
    return Claim(said, found.words(), 0.0, source, "dB", status)


def shipped_claims(dip: Extra | None) -> Iterator[Claim]:
    """Yield whether the fit as shipped is safe, and whether that is more than returning the start."""
    safe = f"Untrained networks as shipped ({SHIPPED}): never more than {LOSS} dB below their start. Worst fit"
    share = f"Untrained networks as shipped ({SHIPPED}): share of fits that return the start unchanged"
    runs = [] if dip is None else runs_of(dip, SHIPPED)
    if not runs:
        yield Claim(safe, None, -LOSS, AT_LEAST, "dB")
        yield Claim(share, None, SHARE, AT_MOST)
        return
    gains = np.array([run["psnr"] - run["psnr_start"] for run in runs])
    status: Any = "reproduced" if gains.min() >= -LOSS else "not"
    yield Claim(
        f"{safe} of {len(runs)}; mean {signed(float(gains.mean()))} dB", signed(float(gains.min())), -LOSS, AT_LEAST, "dB", status
    )
    back = round(float(np.mean([run["fell_back"] for run in runs])), 3)
    yield Claim(f"{share}, {len(runs)} fits", back, SHARE, AT_MOST, "", "reproduced" if back <= SHARE else "not")


def correlation_claim(dip: Extra | None) -> Claim:
    """Return how the residual of the network compares with the true one on turned and smoothed kernels."""
    text = "Residual of the untrained network on turned and smoothed kernels: mean correlation with the true one"
    runs = [] if dip is None else [*runs_of(dip, SHIPPED), *runs_of(dip, "residual/smoothing")]
    runs = [run for run in runs if run["error"].startswith(("rotation", "smoothing")) and "+" not in run["error"]]
    if not runs:
        return Claim(text, None, CORRELATION, AT_LEAST)
    # a residual that is zero everywhere has no correlation: it explains nothing
    found = round(float(np.mean([run.get("residual", {}).get("correlation", 0.0) for run in runs])), 3)
    return Claim(f"{text}, {len(runs)} fits", found, CORRELATION, AT_LEAST, "", "reproduced" if found >= CORRELATION else "not")


def stop_claims(dip: Extra | None) -> Iterator[Claim]:
    """Yield what the stop rule costs against the best of each run, and the time."""
    runs = [] if dip is None else [run for run in dip.numbers["runs"] if run["cell"] in MAIN]
    gaps = np.array([run["gap"] for run in runs])
    for words, goal, value in (
        ("mean", MEAN_GAP, float(gaps.mean()) if gaps.size else None),
        ("largest", WORST_GAP, float(gaps.max()) if gaps.size else None),
    ):
        text = f"Stop rule of untrained networks: {words} loss against the best iteration, which only the truth knows"
        if value is None:
            yield Claim(text, None, goal, AT_MOST, "dB")
            continue
        said = f"{text}, {len(runs)} fits"
        yield Claim(said, round(value, 3), goal, AT_MOST, "dB", "reproduced" if value <= goal else "not")
    text = "Untrained networks: processor time of a fit, mean"
    if not runs:
        yield Claim(text, None, SECONDS, AT_MOST, "s")
        return
    times = np.array([run["seconds"] for run in runs])
    mean = round(float(times.mean()), 1)
    said = f"{text} over {len(runs)} fits, largest {times.max():.0f} s"
    yield Claim(
        said, mean, SECONDS, AT_MOST, "s", "reproduced" if times.max() <= SECONDS else "partly" if mean <= SECONDS else "not"
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
RANK_GOAL, COVERAGE = 0.6, (90.0, 97.0)


def claims(study: StudyResults) -> Iterator[Claim]:
    """Yield every claim of the page; `not run` where its data are absent."""
    test = study.test
    yield from default_claims(test)
    yield from refined_claims(test)
    yield boundary_claim(test)
    yield from learned_claims(test)
    yield from sweep_claims(study)
    yield from residual_claims(test)
    yield from spread_claims(study)
    yield from dip_claims(study.dip)


def met(value: float, goal: float, partly: float | None = None) -> Any:
    """Return the status of a number that should reach a goal; from `partly` on it is partly met."""
    return "reproduced" if value >= goal else "partly" if partly is not None and value >= partly else "not"


def default_claims(test: SetResults) -> Iterator[Claim]:
    """Yield what the default gains over both rivals, on which pairs, and where it must not lose."""
    for rival, goal, words in (
        (GIVEN, OVER_GIVEN, f"the given kernel ({GIVEN})"),
        (REFINED, OVER_REFINED, f"the kernel refined pixel by pixel ({REFINED})"),
    ):
        yield _gain_claim(test.rows, DEFAULT, rival, goal, f"The default {DEFAULT} gains over {words} on the mean of all pairs")
    yield share_claim(test)
    yield safe_claim(test)
    oracle = f"{PRIOR}/{TRUE}"
    gap = gap_closed(test.rows, DEFAULT, GIVEN, oracle)
    text = f"The default closes at least half of the gap between the given and the true kernel ({GIVEN} and {oracle}), means"
    if gap is None:
        yield Claim(text, None, GAP_GOAL, AT_LEAST)
    else:
        yield Claim(f"{text} over {len(test.rows)} pairs", round(gap, 3), GAP_GOAL, AT_LEAST, "", met(gap, GAP_GOAL))


def _gain_claim(rows: Sequence[Row], cell: str, rival: str, goal: float, text: str, metric: str = "psnr") -> Claim:
    found = Difference.of(rows, cell, rival, metric)
    if found is None:
        return Claim(text, None, goal, AT_LEAST, "dB")
    worst = f"worst {signed(found.worst)} dB: {pair_words(found.worst_row)}"
    said = f"{text}; below it in {found.losses} of {len(rows)} pairs, {worst}"
    return Claim(said, found.words(), goal, AT_LEAST, "dB", met(found.mean, goal))


def share_claim(test: SetResults) -> Claim:
    """Return on how many of the turned and scaled pairs the default is clearly above both rivals."""
    rows = test.of("rotation", "scale")
    same = sum(row["error"].startswith(("rotation", "scale")) and "+" not in row["error"] for row in test.rows) - len(rows)
    counted = f"; {same} pairs whose turned kernel is the same kernel, as a disk's is, count as exact" if same else ""
    text = f"Turned and scaled kernels: share of the pairs with the default at least {EACH_GOAL:g} dB above {GIVEN} and {REFINED}"
    both = [Difference.of(rows, DEFAULT, rival) for rival in (GIVEN, REFINED)]
    if both[0] is None or both[1] is None:
        return Claim(text, None, SHARE_GOAL, AT_LEAST)
    clear = np.minimum(both[0].gains, both[1].gains) >= EACH_GOAL
    share = round(int(clear.sum()) / len(rows), 3)
    said = f"{text}: {clear.sum()} of {len(rows)}{counted}"
    oracle = [Difference.of(rows, f"{PRIOR}/{TRUE}", rival) for rival in (GIVEN, REFINED)]
    if oracle[0] is not None and oracle[1] is not None:
        possible = np.minimum(oracle[0].gains, oracle[1].gains) >= EACH_GOAL
        said += f"; the true kernel itself is so in {possible.sum()}, the default in {(clear & possible).sum()} of these"
    return Claim(said, share, SHARE_GOAL, AT_LEAST, "", met(share, SHARE_GOAL, 0.5))


def safe_claim(test: SetResults) -> Claim:
    """Return what the default loses at most where there is little to correct."""
    rows = test.of(EXACT, "truncation")
    text = f"Exact and truncated kernels: the default is never more than {SAFE_LOSS} dB below {GIVEN}. Worst pair"
    found = Difference.of(rows, DEFAULT, GIVEN)
    if found is None:
        return Claim(text, None, -SAFE_LOSS, AT_LEAST, "dB")
    beyond = int((found.gains < -SAFE_LOSS).sum())
    kept = sum(not row["step"][DEFAULT_MODEL]["by"] for row in rows)
    said = (
        f"{text} of {len(rows)}: {pair_words(found.worst_row)}; {beyond} below that limit, mean {found.words()} dB, "
        f"the given kernel kept in {kept}"
    )
    return Claim(said, signed(found.worst), -SAFE_LOSS, AT_LEAST, "dB", met(found.worst, -SAFE_LOSS))


def refined_claims(test: SetResults) -> Iterator[Claim]:
    """Yield the fixed requirements on the kernel refined pixel by pixel."""
    yield _gain_claim(test.rows, REFINED, GIVEN, REFINED_GOAL, f"{REFINED} gains over {GIVEN} on the mean of all pairs")
    found = Difference.of(test.rows, REFINED, GIVEN)
    text = f"{REFINED} is never more than {REFINED_LOSS} dB below {GIVEN}. Worst pair"
    if found is None:
        yield Claim(text, None, -REFINED_LOSS, AT_LEAST, "dB")
        return
    beyond = int((found.gains < -REFINED_LOSS).sum())
    said = f"{text} of {len(test.rows)}: {pair_words(found.worst_row)}; {beyond} below that limit"
    yield Claim(said, signed(found.worst), -REFINED_LOSS, AT_LEAST, "dB", met(found.worst, -REFINED_LOSS))


def boundary_claim(test: SetResults) -> Claim:
    """Return what the boundary of real pictures is worth, with the exact kernel."""
    text = "Exact kernel, total variation: the valid boundary gains over the circular one"
    return _gain_claim(test.scenes(), f"tv/{TRUE}", f"tv-circular/{TRUE}", BOUNDARY_GOAL, text)


def learned_claims(test: SetResults) -> Iterator[Claim]:
    """Yield what the learned prior gains over total variation with the exact kernel, in display values and in linear light."""
    text = f"Exact kernel, one weight each: the learned prior {LEARNED} gains over total variation"
    for metric, words in (("psnr", "display values"), ("psnr_light", "linear light, in which it is restored")):
        yield _gain_claim(test.scenes(), f"{LEARNED}/{TRUE}", f"tv/{TRUE}", LEARNED_GOAL, f"{text}; PSNR of {words}", metric)


def sweep_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield, for each sweep, the larger of the default's two losses at the ends, as a share of what the given kernel loses."""
    for word in BIASES:
        text = f"Kernel with a wrong {word}: loss of the default at the largest bias, as a share of the loss of {GIVEN}"
        shares = sweep_shares(study.sets[word]) if word in study.sets else {}
        if not shares:
            yield Claim(text, None, SWEEP_GOAL, AT_MOST)
            continue
        parts = ", ".join(f"{bias:+g}: {share:.2f}".replace("-", "\u2212") for bias, share in shares.items())
        good = sum(share <= SWEEP_GOAL for share in shares.values())
        status: Any = "reproduced" if good == len(shares) else "partly" if good else "not"
        yield Claim(f"{text}, the larger of both ends ({parts})", round(max(shares.values()), 3), SWEEP_GOAL, AT_MOST, "", status)


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
    for model, (kinds, goal) in RESIDUAL_GOALS.items():
        names = {"rotation": "turned", "smoothing": "smoothed"}
        where = " and ".join(names[name] for name in kinds)
        text = f"Residual of {PRIOR}/{model} on {where} kernels: mean correlation with the true one"
        rows = [row for row in test.of(*kinds) if model in row["residuals"]]
        if not rows:
            yield Claim(text, None, goal, AT_LEAST)
            continue
        found = [row["residuals"][model].get("correlation", 0.0) for row in rows]
        kept = sum("correlation" not in row["residuals"][model] for row in rows)
        said = f"{text}, {len(rows)} pairs, {kept} of them without any residual count as 0"
        mean = round(float(np.mean(found)), 3)
        yield Claim(said, mean, goal, AT_LEAST, "", met(mean, goal))


def spread_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield whether the map of spreads tells where the picture is wrong, and by how much."""
    rows = [] if study.calibration is None else study.calibration.numbers["test"]
    text = "Map of spreads: mean rank correlation with the error on blocks of 7 x 7 pixels"
    low, high = COVERAGE
    wanted = f"{low:g} to {high:g}"
    covered = "Map of spreads: pixels within \u00b1 2 spreads after factor and floor were fitted on validation pairs, mean"
    if not rows:
        yield Claim(text, None, RANK_GOAL, AT_LEAST)
        yield Claim(covered, None, wanted, "goal of this study", "%")
        return
    ranks, shares = (np.array([row[key] for row in rows]) for key in ("rank_correlation", "coverage"))
    mean = round(float(ranks.mean()), 3)
    yield Claim(f"{text}, {len(rows)} test pairs, least {ranks.min():.2f}", mean, RANK_GOAL, AT_LEAST, "", met(mean, RANK_GOAL))
    inside = int(((100 * shares >= low) & (100 * shares <= high)).sum())
    said = f"{covered} over {len(rows)} test pairs; {inside} pairs lie within the goal, the least has {100 * shares.min():.0f} %"
    mean = 100 * float(shares.mean())
    status: Any = "not" if not low <= mean <= high else "reproduced" if inside == len(rows) else "partly"
    yield Claim(said, mean, wanted, "goal of this study", "%", status)
