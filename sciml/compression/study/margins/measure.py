"""Rate curves of codecs on crops: only the settings near the rates that are read, and each curve measured once.

A curve is kept in the cache by the digest of everything that it depends on: the photograph and the place of the crop, the codec
with its settings and the versions of its libraries, and for our own models the model and the code. A run that was stopped goes
on where it stopped, and after a change of our codec only our own curves are measured again.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sciml.compression.study.anchors import Codec, Own, missing_reason, versions
from sciml.compression.study.bench import coded
from sciml.compression.study.margins.records import CurvesFile, Point, Points
from sciml.datasets.crops import Crop, load_crops
from sciml.datasets.manifest import record
from sciml.runtime.errors import FormatError, ScimlError
from sciml.runtime.files import canonical_json, digest_bytes
from sciml.runtime.places import cache_folder
from sciml.runtime.results import read_result, write_result
from sciml.runtime.sources import source_digest

LOW_BPP, HIGH_BPP = 0.15, 1.0
CODE = "sciml.compression.codecs.codec"
FOLDER = "curves"
LIBRARIES = {
    "jpeg": "libjpeg-turbo",
    "webp": "libwebp",
    "jpegxl": "pillow-jxl-plugin",
    "avif": "libavif",
    "hevc": "pillow-heif",
}

Progress = Callable[[int, int, str], None]
"""Called with curves done, curves in all, and what was done last."""


@dataclass(frozen=True)
class Task:
    """One codec on all crops of one photograph that its curve is not known of."""

    codec: Codec
    crops: tuple[Crop, ...]


def measured_curves(
    crops: Sequence[Crop],
    codecs: Sequence[Codec],
    workers: int = 1,
    before: CurvesFile | None = None,
    progress: Progress | None = None,
) -> Points:
    """Return the points by codec and crop, from the cache or an earlier measurement where they are known.

    Args:
        crops: what is coded.
        codecs: those that can run here, or are known from before.
        workers: processes of one thread.
        before: an earlier measurement, whose curves of other codecs are taken where version, settings and photograph are the
            same, or where the codec cannot run here; ours are measured.
        progress: told after each photograph and codec.

    Raises:
        DataError: a photograph is not fetched.
        ScimlError: the cache cannot be written.
    """
    done: dict[tuple[str, str], tuple[Point, ...]] = {}
    for codec in codecs:
        for crop in crops:
            if (known := _of_before(before, codec, crop) or _known(curve_path(codec, crop))) is not None:
                done[codec.name, crop.name] = known
    photographs = dict.fromkeys(crop.photograph for crop in crops)
    tasks = [
        Task(codec, left)
        for codec in codecs
        for photograph in photographs
        if (left := tuple(c for c in crops if c.photograph == photograph and (codec.name, c.name) not in done))
    ]
    every = len(crops) * len(codecs)
    for task, found in _run(tasks, workers):
        done |= {(task.codec.name, name): points for name, points in found.items()}
        if progress:
            progress(len(done), every, f"{task.codec.name}, {task.crops[0].photograph}")
    return {codec.name: {crop.name: done[codec.name, crop.name] for crop in crops} for codec in codecs}


def curve_path(codec: Codec, crop: Crop) -> Path:
    """Return where the curve of a codec on a crop is kept; another path for another picture, setting, version or code."""
    made_by = {"code": source_digest(CODE)} if isinstance(codec, Own) else library_version(codec.name)
    what = {
        "photograph": record(crop.photograph).sha256,
        "place": [crop.top, crop.left],
        "codec": [codec.name, codec.settings, list(codec.qualities)],
        "rates_bpp": [LOW_BPP, HIGH_BPP],
        "made_by": made_by,
    }
    return cache_folder(FOLDER) / f"{digest_bytes(canonical_json(what).encode())}.json"


def library_version(name: str) -> dict[str, str]:
    """Return the version of the library that makes the files of one of the other codecs."""
    library = LIBRARIES[name.partition("-")[0]]
    return {library: versions()[library]}


def _of_before(before: CurvesFile | None, codec: Codec, crop: Crop) -> tuple[Point, ...] | None:
    if before is None or isinstance(codec, Own) or before.codecs.get(codec.name) != codec.settings:
        return None
    absent = missing_reason(codec) is not None
    same_version = absent or library_version(codec.name).items() <= before.versions.items()
    same_picture = before.digests.get(crop.photograph) == record(crop.photograph).sha256
    points = before.points[codec.name].get(crop.name) if same_version and same_picture else None
    if points is None:
        return None
    # an earlier measurement may have had fewer settings, and end below the highest rate
    whole = 8 * points[-1].file_bytes / before.pixels >= HIGH_BPP or points[-1].quality >= codec.qualities[-1]
    return points if whole or absent else None


def known_before(before: CurvesFile | None, codec: Codec, crops: Sequence[Crop]) -> bool:
    """Return whether an earlier measurement has the curves of a codec on all these crops."""
    return all(_of_before(before, codec, crop) is not None for crop in crops)


def _known(path: Path) -> tuple[Point, ...] | None:
    try:
        return read_result(path, tuple[Point, ...]) if path.is_file() else None
    except (FormatError, ScimlError):  # damaged: measured again
        return None


def _run(tasks: Sequence[Task], workers: int) -> Iterator[tuple[Task, dict[str, tuple[Point, ...]]]]:
    if workers == 1 or len(tasks) < 2:
        for task in tasks:
            yield task, _work(task)
        return
    # a forked copy of a process with threads may hang
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker) as pool:
        futures = {pool.submit(_work, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker() -> None:
    from sciml.runtime.devices import set_threads

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one ends the others
    set_threads(1)


def _work(task: Task) -> dict[str, tuple[Point, ...]]:
    found = {}
    for crop, pixels in zip(task.crops, load_crops(list(task.crops)).values(), strict=True):
        found[crop.name] = points_near(task.codec, pixels)
        write_result(curve_path(task.codec, crop), found[crop.name])
    return found


def points_near(
    codec: Codec, picture: UInt8[np.ndarray, "rows columns 3"], low_bpp: float = LOW_BPP, high_bpp: float = HIGH_BPP
) -> tuple[Point, ...]:
    """Return the points of a codec from the last one below a range of rates to the first one above it.

    Rates rise with the quality, so that from the middle of the codec's settings it goes up until the range is passed, then down
    from there; settings that are far outside cost no time. A codec that reaches neither end is measured at all its settings.
    """
    pixels = picture.shape[0] * picture.shape[1]
    points: dict[int, Point] = {}

    def rate(place: int) -> float:
        if place not in points:
            points[place] = _point(codec, picture, codec.qualities[place])
        return 8 * points[place].file_bytes / pixels

    middle = last = len(codec.qualities) // 2
    while rate(last) < high_bpp and last + 1 < len(codec.qualities):
        last += 1
    first = middle
    while rate(first) > low_bpp and first > 0:
        first -= 1
    return tuple(points[place] for place in sorted(points))


def _point(codec: Codec, picture: UInt8[np.ndarray, "rows columns 3"], quality: float) -> Point:
    row = coded(codec, picture, quality)
    psnr = row.quality.psnr_db
    return Point(
        quality=quality,
        file_bytes=row.file_bytes,
        psnr_db=round(psnr, 4) if np.isfinite(psnr) else None,
        ms_ssim=round(row.quality.ms_ssim or 0.0, 7),
        encode_s=round(row.encode_s, 4),
        decode_s=round(row.decode_s, 4),
    )
