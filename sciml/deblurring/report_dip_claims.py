"""What is claimed of untrained networks: whether they help, whether their residual is one, when they stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sciml.deblurring.report_dip import MAIN, paired, runs_of
from sciml.deblurring.report_numbers import Difference, signed
from sciml.deblurring.report_results import Extra
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
