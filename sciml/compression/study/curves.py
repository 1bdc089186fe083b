"""Rate-distortion curves: quality at equal rate, and BD-rate with an interval over pictures.

A curve holds the settings that are worth having: rates in bits a pixel rise and so does the quality in decibels. Between them the
logarithm of the rate and the quality are interpolated by monotone cubics (PCHIP), nothing is extrapolated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sciml.compression.study.quality import Metric
from sciml.runtime.bootstrap import bootstrap_interval
from sciml.runtime.errors import ConfigError
from sciml.runtime.seeds import Seeds

LEAST_POINTS = 4
LEAST_SHARE = 0.5
"""Least part of the shorter curve's range of quality that both curves must cover for a BD-rate."""
NEAR = 0.005

Points = Mapping[str, Mapping[float, tuple[float, float]]]
"""Of one codec: (rate in bits a pixel, value of a metric) by picture and quality setting."""


@dataclass(frozen=True)
class Curve:
    """Rates and qualities, both strictly rising.

    Attributes:
        rates_bpp: bits a pixel.
        decibels: quality at these rates.
    """

    rates_bpp: tuple[float, ...]
    decibels: tuple[float, ...]


@dataclass(frozen=True)
class BdRate:
    """Mean difference in rate at equal quality of a codec to an anchor.

    Attributes:
        percent: negative where the codec needs fewer bits; None where there is no number worth giving.
        overlap_db: the range of quality that both curves cover, over which the mean is taken; None where they share none.
        share: that range over the range of the shorter curve, from 0 to 1.
        reason: why there is no number.
    """

    percent: float | None
    overlap_db: tuple[float, float] | None = None
    share: float = 0.0
    reason: str | None = None


@dataclass(frozen=True)
class BdRateOverPictures:
    """BD-rates of single pictures together.

    Attributes:
        mean: mean of the percentages over the pictures that gave one, or None.
        interval: bootstrap interval of that mean at 95 %, or None below two pictures.
        pictures: how many gave a number.
        without: the reason by picture that gave none.
        of_mean_curves: BD-rate between the curves of mean rate and mean quality, another question whose answer differs.
        by_picture: the percentages.
    """

    mean: float | None
    interval: tuple[float, float] | None
    pictures: int
    without: dict[str, str]
    of_mean_curves: BdRate
    by_picture: dict[str, float]


def curve(points: Iterable[tuple[float, float]]) -> Curve:
    """Return the curve through (rate, decibels) points.

    Points with a cheaper point that is at least as good are left out, since nobody would choose their setting and no curve runs
    through them; so are those with an infinite quality (exact copies), which have no place on the axis.
    """
    kept: list[tuple[float, float]] = []
    for rate, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if math.isfinite(quality) and rate > 0 and (not kept or quality > kept[-1][1]):
            kept.append((rate, quality))
    return Curve(tuple(rate for rate, _ in kept), tuple(quality for _, quality in kept))


def picture_curve(points: Mapping[float, tuple[float, float]], metric: Metric) -> Curve:
    """Return the curve of one picture from its (rate, value) by quality setting."""
    return curve((rate, metric.decibels(value)) for rate, value in points.values())


def mean_points(points: Points) -> dict[float, tuple[float, float]]:
    """Return (mean rate, mean value) over pictures by quality setting, for the settings that every picture has.

    PSNR is averaged in decibels and MS-SSIM as it is, from 0 to 1, as published tables do.
    """
    settings = [set(of_picture) for of_picture in points.values()]
    shared = sorted(set.intersection(*settings)) if settings else []
    return {
        setting: (
            float(np.mean([of_picture[setting][0] for of_picture in points.values()])),
            float(np.mean([of_picture[setting][1] for of_picture in points.values()])),
        )
        for setting in shared
    }


def mean_curve(points: Points, metric: Metric) -> Curve:
    """Return the curve through `mean_points`, put in decibels after averaging."""
    return picture_curve(mean_points(points), metric)


def quality_at(curve: Curve, rate_bpp: float) -> float | None:
    """Return the quality in decibels at a rate: PCHIP over the logarithm of the rate; None outside the curve.

    A codec that is asked for a rate stays a few bytes below it: the ends of the curve also answer for rates that differ by less
    than `NEAR`.

    Raises:
        ConfigError: the rate is not above zero.
    """
    if not rate_bpp > 0:
        raise ConfigError(f"a rate of {rate_bpp} bits a pixel holds no picture: give one above 0")
    if not curve.rates_bpp or not curve.rates_bpp[0] * (1 - NEAR) <= rate_bpp <= curve.rates_bpp[-1] * (1 + NEAR):
        return None
    if rate_bpp <= curve.rates_bpp[0]:
        return curve.decibels[0]
    if rate_bpp >= curve.rates_bpp[-1]:
        return curve.decibels[-1]
    return float(_interpolator(curve)(math.log(rate_bpp)))


@lru_cache(maxsize=256)
def _interpolator(curve: Curve) -> Callable[[float], np.ndarray]:
    from scipy.interpolate import PchipInterpolator

    return PchipInterpolator(np.log(curve.rates_bpp), curve.decibels)


def bd_rate(anchor: Curve, tested: Curve, least_share: float = LEAST_SHARE) -> BdRate:
    """Return the mean difference in rate at equal quality (Bjontegaard 2001), with PCHIP through log rate over quality.

    No number is given below `LEAST_POINTS` points on a curve, or where the range that both cover is less than `least_share` of
    the shorter one's range. The shorter one counts, so that a codec of a few rates may be compared inside the wide curve of
    another; the overlap says for which quality the number holds.

    Example:
        >>> anchor = curve([(0.1, 25), (0.2, 28), (0.4, 31), (0.8, 34)])
        >>> tested = curve([(0.09, 25), (0.18, 28), (0.36, 31), (0.72, 34)])
        >>> round(bd_rate(anchor, tested).percent, 3)
        -10.0
    """
    for title, given in (("anchor", anchor), ("codec", tested)):
        if len(given.rates_bpp) < LEAST_POINTS:
            count = len(given.rates_bpp)
            return BdRate(None, reason=f"the curve of the {title} has too few points: {count}, {LEAST_POINTS} are needed")
    low = max(anchor.decibels[0], tested.decibels[0])
    high = min(anchor.decibels[-1], tested.decibels[-1])
    if low >= high:
        return BdRate(None, reason="the curves share no quality")
    share = (high - low) / min(anchor.decibels[-1] - anchor.decibels[0], tested.decibels[-1] - tested.decibels[0])
    if share < least_share:
        reason = f"the curves share {share:.0%} of the shorter one's range of quality, {least_share:.0%} are needed"
        return BdRate(None, (low, high), share, reason)
    import bjontegaard

    percent = bjontegaard.bd_rate(
        *map(np.array, (anchor.rates_bpp, anchor.decibels, tested.rates_bpp, tested.decibels)),
        method="pchip",
        require_matching_points=False,
        min_overlap=0,  # judged above
    )
    return BdRate(float(percent), (low, high), share)  # pyright: ignore[reportArgumentType] (a tuple only when asked for)


def bd_rate_over_pictures(anchor: Points, tested: Points, metric: Metric, seed: int = 0) -> BdRateOverPictures:
    """Return the BD-rate of each picture, their mean, and its interval over pictures.

    Args:
        anchor: points of the codec that is compared with.
        tested: points of the other, on the same pictures.
        metric: what the values of the points are.
        seed: master seed of the bootstrap.
    """
    shared = [picture for picture in tested if picture in anchor]
    anchor, tested = ({picture: points[picture] for picture in shared} for points in (anchor, tested))
    found = {p: bd_rate(picture_curve(anchor[p], metric), picture_curve(tested[p], metric)) for p in shared}
    numbers = {picture: one.percent for picture, one in found.items() if one.percent is not None}
    without = {picture: one.reason or "" for picture, one in found.items() if one.percent is None}
    of_mean_curves = bd_rate(mean_curve(anchor, metric), mean_curve(tested, metric))
    values = list(numbers.values())
    mean = float(np.mean(values)) if values else None
    return BdRateOverPictures(mean, mean_interval(values, seed), len(values), without, of_mean_curves, numbers)


def mean_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float] | None:
    """Return the percentile bootstrap interval of the mean at 95 % (Efron 1979), None below two values.

    Pictures are drawn with repetition: the interval says how far the mean would move with other pictures of the same kind. With
    few pictures it is too narrow.
    """
    if len(values) < 2:
        return None
    return bootstrap_interval(values, Seeds(seed)("bootstrap", len(values)))
