"""Rate curves on the crops that judge, and margins over photographs, by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from sciml.compression.stages import judge
from sciml.compression.study.anchors import Own, missing_reason
from sciml.compression.study.margins import measure
from sciml.compression.study.margins.codecs import OTHERS
from sciml.compression.study.margins.measure import curve_path, measured_curves, points_near
from sciml.compression.study.margins.records import CurvesFile, Point
from sciml.compression.study.margins.statistics import Margins
from sciml.compression.study.quality import PSNR
from sciml.datasets.crops import Crop, photo_crops
from sciml.datasets.manifest import record
from sciml.runtime.bootstrap import grouped_interval
from sciml.runtime.errors import DataError
from sciml.runtime.seeds import Seeds

PICTURE = np.random.default_rng(0).integers(0, 256, (176, 192, 3)).astype(np.uint8)
CROPS = [Crop("lake-sherburne", 0, 0), Crop("lake-sherburne", 0, 768), Crop("life", 0, 0)]


@dataclass(frozen=True)
class Doubling:
    """A codec whose rate doubles with each quality from 1/32 bit a pixel on; it counts what it encodes."""

    name: str = "jpeg"
    settings: str = "doubling"
    qualities: tuple[float, ...] = tuple(range(10))
    asked: list[float] = field(default_factory=list, compare=False)

    def encode(self, picture, quality):
        self.asked.append(quality)
        return bytes(picture.shape[0] * picture.shape[1] * 2 ** int(quality) // 32 // 8)

    def decode(self, content):
        return PICTURE


def test_only_settings_near_the_rates_are_measured():
    codec = Doubling()
    points = points_near(codec, PICTURE)
    rates = [8 * point.file_bytes / PICTURE[..., 0].size for point in points]
    # 0.15 and 1 bit a pixel lie between 1/8 and 1
    assert rates == pytest.approx([0.125, 0.25, 0.5, 1.0], rel=0.01) and codec.asked == [5, 4, 3, 2]
    assert [point.psnr_db for point in points] == [None] * 4, "an exact copy has no PSNR in JSON"
    assert [point.quality for point in points_near(codec, PICTURE, 0.001, 0.002)] == [0, 1, 2, 3, 4, 5]
    assert [point.quality for point in points_near(codec, PICTURE, 100, 200)] == [5, 6, 7, 8, 9]


@pytest.fixture
def small_crops(monkeypatch, tmp_path):
    monkeypatch.setenv("SCIML_CACHE", str(tmp_path))
    monkeypatch.setattr(measure, "load_crops", lambda crops: {crop.name: PICTURE for crop in crops})


def test_a_curve_is_measured_once_and_a_damaged_one_again(small_crops):
    codec = Doubling()
    first = measured_curves(CROPS, [codec])
    assert list(first["jpeg"]) == [crop.name for crop in CROPS] and len(codec.asked) == 12
    told = []
    assert measured_curves(CROPS, [codec], progress=lambda *words: told.append(words)) == first
    assert len(codec.asked) == 12 and told == []
    curve_path(codec, CROPS[1]).write_text("[{")
    again = measured_curves(CROPS, [codec])["jpeg"]
    assert again.keys() == first["jpeg"].keys() and len(codec.asked) == 16
    other = Doubling(settings="other")
    measured_curves(CROPS[:1], [other])
    assert len(other.asked) == 4, "another setting is another curve"


def curves_of(points, photographs=None, **extra) -> CurvesFile:
    names = photographs or {crop.name: crop.photograph for crop in CROPS}
    return CurvesFile(
        measured="2024-09-01", versions=measure.versions(), codecs={"jpeg": "doubling", "nic": "model 00"}, absent={},
        pixels=512 * 768, photographs=names, digests={name: record(name).sha256 for name in ("lake-sherburne", "life")},
        points=points, seed=3, **extra,
    )  # fmt: skip


def test_curves_of_others_are_taken_from_before_where_nothing_changed(small_crops):
    codec = Doubling()
    marked = (Point(quality=9, file_bytes=7, psnr_db=30.0, ms_ssim=0.9, encode_s=0.0, decode_s=0.0),)
    before = curves_of({"jpeg": {crop.name: marked for crop in CROPS}, "nic": {}})
    assert set(measured_curves(CROPS, [codec], before=before)["jpeg"].values()) == {marked} and codec.asked == []
    older = before.model_copy(update={"versions": before.versions | {"libjpeg-turbo": "0"}})
    assert marked not in measured_curves(CROPS[:1], [codec], before=older)["jpeg"].values()
    changed = before.model_copy(update={"digests": before.digests | {"life": "0"}})
    assert measure.known_before(changed, codec, CROPS[:2]) and not measure.known_before(changed, codec, CROPS)
    # a curve that ended at what was the best setting then goes on to that of today; one above the highest rate is whole
    point = marked[0].model_copy(update={"quality": 8})
    for size, known in ((7, False), (512 * 768 // 8, True)):
        ended = curves_of({"jpeg": {CROPS[0].name: (point.model_copy(update={"file_bytes": size}),)}, "nic": {}})
        assert measure.known_before(ended, codec, CROPS[:1]) == known


def line(level: float, rates=(0.1, 0.2, 0.4, 0.8, 1.6)) -> tuple[Point, ...]:
    """Return points 3 dB a doubling, with `level` dB at 1/4 bit a pixel."""
    return tuple(
        Point(
            quality=place, file_bytes=round(rate * 512 * 768 / 8), psnr_db=level + 3 * float(np.log2(rate / 0.25)),
            ms_ssim=0.9 + 0.01 * place, encode_s=1.0, decode_s=0.5,
        )
        for place, rate in enumerate(rates)
    )  # fmt: skip


def test_margins_by_hand():
    names = {"a1": "a", "a2": "a", "b1": "b", "c1": "c"}
    ours, theirs = [30.5, 31.0, 29.0, 33.0], [30.0, 30.0, 30.0, 30.0]
    points = {
        "nic": {name: line(level) for name, level in zip(names, ours, strict=True)},
        # on the last crop the other codec ends below half a bit
        "jpeg": {
            name: line(level, (0.1, 0.2, 0.3, 0.4) if name == "c1" else (0.1, 0.2, 0.4, 0.8, 1.6))
            for name, level in zip(names, theirs, strict=True)
        },
    }
    margins = Margins(curves_of(points, names))
    lead = margins.lead("nic", "jpeg", 0.25, PSNR)
    assert lead.mean == pytest.approx((0.5 + 1.0 - 1.0 + 3.0) / 4, abs=1e-3) and lead.lost == 0.25
    values, groups = list(lead.by_crop.values()), list(names.values())
    assert lead.interval == grouped_interval(values, groups, Seeds(3)("bootstrap", "photographs"))
    # there it stays at its best setting, with 0.4 bits a pixel
    high = margins.lead("nic", "jpeg", 0.5, PSNR)
    assert high.by_crop["c1"] == pytest.approx(33.0 + 3 - (30 + 3 * np.log2(0.4 / 0.25)), abs=1e-3)
    assert margins.ends("jpeg", "c1", 0.5, PSNR) and not margins.ends("nic", "c1", 0.5, PSNR)
    assert margins.lead("nic", "jpeg", 0.05, PSNR).mean is None, "below the least setting there is nothing"
    saving = margins.saving("nic", "jpeg", PSNR)
    assert saving.by_crop["a2"] == pytest.approx(100 * (2 ** (-1 / 3) - 1), abs=0.05) and saving.lost == 0.25
    means, count = margins.means(["nic", "jpeg"], 0.5, PSNR)
    assert count == 4 and means["nic"] == pytest.approx(np.mean(ours) + 3, abs=1e-3)
    assert margins.lead("nic", "webp", 0.25, PSNR).mean is None and margins.photographs == 3
    assert margins.seconds("nic") == (1.0, 0.5)


def test_hevc_keeps_all_colours_and_others_their_settings():
    hevc = OTHERS["hevc-444"]
    if missing_reason(hevc):
        pytest.skip(str(missing_reason(hevc)))
    # stripes of one pixel in red and blue, which 4:2:0 cannot hold
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2, 0] = stripes[:, 1::2, 2] = 200
    error = {
        name: np.abs(OTHERS[name].decode(OTHERS[name].encode(stripes, 92)).astype(int) - stripes).mean()
        for name in ("hevc-444", "avif-444", "avif")
    }
    assert error["hevc-444"] < 3 and error["avif-444"] < 5 < 20 < error["avif"]
    assert {codec.options(50, 3)["speed"] for name, codec in OTHERS.items() if name.startswith("avif")} == {0, 3, 6}
    assert all(list(codec.qualities) == sorted(set(codec.qualities)) for codec in OTHERS.values())


def test_a_measurement_that_came_with_the_model_is_sampled_again(monkeypatch):
    own = Own("nic", "model 00", "photo", (1, 2))
    crops = judge.first_crops(photo_crops("test", "ci"), 2)
    assert [crop.photograph for crop in crops] == ["lake-sherburne", "roman-colosseum"]
    known = curves_of({"nic": {crops[0].name: line(30.0), crops[1].name: line(31.0)}})
    known = known.model_copy(update={"digests": {crop.photograph: record(crop.photograph).sha256 for crop in crops}})
    fresh = {crops[0].name: line(30.0), crops[1].name: (*line(31.0)[:4], line(31.0, (1.7,) * 5)[4])}
    monkeypatch.setattr(judge, "load_crops", lambda crops: {crop.name: crop.name for crop in crops})
    monkeypatch.setattr(judge, "points_near", lambda codec, name: fresh[name])
    found = judge.measured_again(known, own, crops)
    assert found.again == (9, 10) and found.points == known.points
    with pytest.raises(DataError, match="the model 01 is needed, that is of the model 00: run"):
        judge.measured_again(known, Own("nic", "model 01", "photo", (1, 2)), crops)
    with pytest.raises(DataError, match="is needed, there is none"):
        judge.measured_again(None, own, crops)
    with pytest.raises(DataError, match="not of the crop lake-sherburne"):
        judge.measured_again(known.model_copy(update={"digests": {}}), own, crops)
