"""Stage `judge`: rate curves of our model and of other codecs on the crops of photographs that judge."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sciml.compression.settings.stages import JudgeConfig
from sciml.compression.study.anchors import Codec, missing_reason, versions
from sciml.compression.study.margins.codecs import OTHERS, OURS, own_codecs
from sciml.compression.study.margins.measure import known_before, measured_curves, points_near
from sciml.compression.study.margins.records import CurvesFile
from sciml.datasets.crops import COLUMNS, EXPERIMENT, ROWS, Crop, first_crops, load_crops, photo_crops
from sciml.datasets.manifest import record
from sciml.datasets.splits import check_weight_inputs
from sciml.runtime.errors import DataError
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import read_result, write_result

log = logging.getLogger(__name__)

# photographs of which one crop is coded again where the measurement came with the model
AGAIN = 2


def run(
    config: JudgeConfig,
    weights: Path,
    output: Path,
    workers: int = 1,
    neural: Sequence[Path] = (),
    before: Path | None = None,
) -> list[Path]:
    """Write `curves.json`: every crop through every codec, at its qualities near the rates of the page.

    Args:
        config: crops and codecs, and whether all is measured.
        weights: model file.
        output: output folder.
        workers: processes of one thread.
        neural: file of a neural model that is judged too, or nothing.
        before: an earlier `curves.json`. Its curves of other codecs are taken where version and settings are the same, or where
            the codec cannot run here; with
            `config.measured` "again" all its curves are taken, and our files of two crops are made again and compared in size.

    Raises:
        DataError: a crop was trained on, there is none, or the earlier measurement is missing or of another model.
    """
    recorder = Recorder(
        "compression.judge", config.model_dump(mode="json"), [weights, *neural, *([before] if before is not None else [])]
    )
    for path in (weights, *neural):
        check_weight_inputs(path, EXPERIMENT)
    own = own_codecs(weights, neural, config.neural_qualities)
    known = None if before is None else read_result(before, CurvesFile)
    crops = photo_crops("test", config.data_tier)
    if config.photographs is not None:
        crops = first_crops(crops, config.photographs)
    if not crops:
        raise DataError(f"the data tier {config.data_tier} holds no crop that judges: take `default`")
    progress = lambda done, every, last: log.info("%d of %d: %s", done, every, last)  # noqa: E731
    if config.measured == "again":
        found = measured_again(known, own[0], first_crops(crops, AGAIN))
    else:
        codecs: list[Codec] = [OTHERS[name] for name in config.codecs]
        reasons = {codec.name: missing_reason(codec) for codec in codecs if not known_before(known, codec, crops)}
        absent = {name: reason for name, reason in reasons.items() if reason is not None}
        present = [*own, *(codec for codec in codecs if codec.name not in absent)]
        here = {name: version for name, version in versions().items() if version != "absent"}
        found = CurvesFile(
            measured=f"{datetime.now(UTC):%Y-%m-%d}",
            versions=versions() | (known.versions if known is not None else {}) | here,
            codecs={codec.name: codec.settings for codec in present},
            absent=absent,
            pixels=ROWS * COLUMNS,
            photographs={crop.name: crop.photograph for crop in crops},
            digests={crop.photograph: record(crop.photograph).sha256 for crop in crops},
            points=measured_curves(crops, present, workers, known, progress),
            seed=config.seed,
        )
    paths = [write_result(output / "curves.json", found)]
    recorder.write(output / "provenance.json", paths)
    return paths


def measured_again(known: CurvesFile | None, own: Codec, crops: Sequence[Crop]) -> CurvesFile:
    """Return an earlier measurement of our model with the number of files that have their former size when they are made again.

    Raises:
        DataError: there is no earlier measurement, or it is of another model or of other photographs.
    """
    if known is None or known.codecs.get(OURS) != own.settings:
        found = "there is none" if known is None else f"that is of the {known.codecs.get(OURS, 'other codecs')}"
        raise DataError(
            f"the measurement that came with the {own.settings} is needed, {found}: run `make cpu` and `make weights`"
        )
    if other := [crop.name for crop in crops if known.digests.get(crop.photograph) != record(crop.photograph).sha256]:
        raise DataError(f"the measurement that came with the {own.settings} is not of the crop {other[0]} that is declared here")
    # not by way of the cache, which would answer with what it was told before
    fresh = {name: points_near(own, pixels) for name, pixels in load_crops(list(crops)).items()}
    sizes = [
        (point.file_bytes, {one.quality: one.file_bytes for one in known.points[OURS][name]}.get(point.quality))
        for name, points in fresh.items()
        for point in points
    ]
    return known.model_copy(update={"again": (sum(new == old for new, old in sizes), len(sizes))})
