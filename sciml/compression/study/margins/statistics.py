"""Margins between codecs over the crops that judge: means with intervals over photographs, and the share of crops lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sciml.compression.study.curves import Curve, bd_rate, picture_curve, quality_at
from sciml.compression.study.margins.records import CurvesFile, Point
from sciml.compression.study.quality import METRICS, Metric
from sciml.runtime.bootstrap import grouped_interval
from sciml.runtime.seeds import Seeds

RATES_BPP = (0.15, 0.25, 0.5, 1.0)
# of the shorter curve's range of quality; a crop on which one codec is far ahead shares little, and must not be left out for it
LEAST_SHARE = 0.2


@dataclass(frozen=True)
class Margin:
    """A difference between two codecs, crop by crop.

    Attributes:
        mean: over the crops; None without any.
        interval: at 95 %, by a bootstrap over whole photographs; None below two photographs.
        lost: share of the crops on which ours is the worse one.
        by_crop: the differences.
    """

    mean: float | None
    interval: tuple[float, float] | None
    lost: float | None
    by_crop: Mapping[str, float]


class Margins:
    """The curves of a measurement, and what follows from them.

    Args:
        file: what the stage `judge` wrote.
    """

    def __init__(self, file: CurvesFile) -> None:
        self.file = file

    @cached_property
    def _curves(self) -> dict[tuple[str, str, str], Curve]:
        return {
            (codec, crop, metric.key): picture_curve(_values(points, self.file.pixels, metric), metric)
            for codec, crops in self.file.points.items()
            for crop, points in crops.items()
            for metric in METRICS
        }

    @property
    def crops(self) -> list[str]:
        """Crops, in the order of the rule."""
        return list(self.file.photographs)

    @property
    def photographs(self) -> int:
        """Number of photographs that the crops come from."""
        return len(set(self.file.photographs.values()))

    def decibels(self, codec: str, crop: str, rate_bpp: float, metric: Metric) -> float | None:
        """Return a codec's quality on a crop for at most a rate, in decibels.

        A codec whose best setting needs fewer bits stays at that one: leaving such crops out would favour it. None where the
        codec did not run or its least setting needs more.
        """
        curve = self._curves.get((codec, crop, metric.key))
        if curve is None:
            return None
        return curve.decibels[-1] if self.ends(codec, crop, rate_bpp, metric) else quality_at(curve, rate_bpp)

    def ends(self, codec: str, crop: str, rate_bpp: float, metric: Metric) -> bool:
        """Return whether a codec's best setting needs fewer bits on a crop than a rate has."""
        curve = self._curves.get((codec, crop, metric.key))
        return curve is not None and bool(curve.rates_bpp) and curve.rates_bpp[-1] < rate_bpp

    def lead(self, own: str, other: str, rate_bpp: float, metric: Metric) -> Margin:
        """Return by how many decibels one codec is above another at a rate, crop by crop."""
        pairs = {crop: [self.decibels(codec, crop, rate_bpp, metric) for codec in (own, other)] for crop in self.crops}
        found = {crop: ours - theirs for crop, (ours, theirs) in pairs.items() if ours is not None and theirs is not None}
        return self.margin(found, -1)

    def saving(self, own: str, other: str, metric: Metric) -> Margin:
        """Return the BD-rate of one codec against another in per cent, over the crops on which their curves overlap enough."""
        found = {}
        for crop in self.crops:
            base, tested = (self._curves.get((codec, crop, metric.key)) for codec in (other, own))
            if base is None or tested is None:
                continue
            if (rate := bd_rate(base, tested, LEAST_SHARE).percent) is not None:
                found[crop] = rate
        return self.margin(found, 1)

    def margin(self, by_crop: Mapping[str, float], bad: int) -> Margin:
        """Return the margin of differences by crop, of which those with the sign of `bad`, 1 or -1, are lost."""
        values = list(by_crop.values())
        groups = [self.file.photographs[crop] for crop in by_crop]
        if not values:
            return Margin(None, None, None, {})
        interval = None
        if len(set(groups)) > 1:
            interval = grouped_interval(values, groups, Seeds(self.file.seed)("bootstrap", "photographs"))
        return Margin(float(np.mean(values)), interval, float(np.mean([bad * value > 0 for value in values])), by_crop)

    def means(self, codecs: Sequence[str], rate_bpp: float, metric: Metric) -> tuple[dict[str, float], int]:
        """Return mean values of codecs at a rate in the metric's unit, over the crops that all of them have, and their number.

        PSNR is averaged in decibels and MS-SSIM as it is, as published tables do.
        """
        shared: list[list[float]] = []
        for crop in self.crops:
            line = [self.decibels(codec, crop, rate_bpp, metric) for codec in codecs]
            known = [metric.value(value) for value in line if value is not None]
            if len(known) == len(codecs):
                shared.append(known)
        if not shared:
            return {}, 0
        return dict(zip(codecs, map(float, np.mean(shared, axis=0)), strict=True)), len(shared)

    def seconds(self, codec: str) -> tuple[float, float]:
        """Return the mean processor seconds of encoding and decoding one crop, over all points of a codec."""
        every = [point for points in self.file.points[codec].values() for point in points]
        return float(np.mean([point.encode_s for point in every])), float(np.mean([point.decode_s for point in every]))


def _values(points: Sequence[Point], pixels: int, metric: Metric) -> dict[float, tuple[float, float]]:
    """Return (rate in bits a pixel, value) by quality; exact copies have no place on a curve."""
    return {
        float(point.quality): (8 * point.file_bytes / pixels, value)
        for point in points
        if (value := getattr(point, metric.key)) is not None
    }
