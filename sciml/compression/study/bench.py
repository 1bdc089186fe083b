"""The comparison of picture codecs: every picture through every codec at every quality, judged by whole files.

A rate is eight times the bytes of the file over the number of pixels, headers included; neighbouring slices, which are the
channels of one array, have pixels of their own. Times are processor seconds of the
process, all its threads together, the least of the repetitions after a warm-up.
"""

from __future__ import annotations

import csv
import io
import math
import multiprocessing
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sciml.compression.pictures.eight_bits import Pixels, read_pixels
from sciml.compression.study.anchors import Codec, missing_reason, versions
from sciml.compression.study.curves import BdRateOverPictures, bd_rate_over_pictures, mean_curve, mean_points, quality_at
from sciml.compression.study.quality import METRICS, Metric, Quality, measure
from sciml.compression.study.results import BenchFile, Failure, Row
from sciml.runtime.errors import ConfigError, DataError, ScimlError
from sciml.runtime.files import write_text
from sciml.runtime.results import read_result, write_result

RATES_BPP = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0)
LUMA = (0.299, 0.587, 0.114)
WARM_SIDE = 64

Progress = Callable[[int, int, str], None]
"""Called with settings done, settings in all, and what was done last."""


@dataclass(frozen=True)
class Picture:
    """A picture, in memory or in a file of 8 bits that is read when it is needed.

    Attributes:
        name: tells it apart from the others.
        source: the pixels, or the path of a file.
        notes: what was done to the stored values, and what to know about them.
    """

    name: str
    source: Pixels | Path
    notes: tuple[str, ...] = ()

    def pixels(self) -> Pixels:
        """Return (rows, columns, 3) or (rows, columns)."""
        return read_pixels(self.source)[0] if isinstance(self.source, Path) else self.source


@dataclass(frozen=True)
class Bench:
    """All results of a comparison.

    Attributes:
        rows: rows by picture, codec and quality, in the order given.
        failures: what could not be coded.
        codecs: settings in words by codec that ran.
        absent: the reason by codec that could not run here.
        pictures: notes by picture.
        repeats: repetitions that the times are the least of.
        versions: versions of the libraries.
    """

    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]
    codecs: dict[str, str]
    absent: dict[str, str]
    pictures: dict[str, tuple[str, ...]]
    repeats: int
    versions: dict[str, str]

    def points(self, codec: str, metric: Metric) -> dict[str, dict[float, tuple[float, float]]]:
        """Return (rate, value) of a codec by picture and quality, for the pictures that have the metric."""
        found: dict[str, dict[float, tuple[float, float]]] = {}
        for row in self.rows:
            if row.codec == codec and (value := getattr(row, metric.key)) is not None:
                found.setdefault(row.picture, {})[row.quality] = (row.rate_bpp, value)
        return found

    def bd_rates(self, anchor: str, metric: Metric, seed: int = 0) -> dict[str, BdRateOverPictures]:
        """Return the BD-rates of the other codecs against one of them.

        Raises:
            ConfigError: the anchor did not run.
        """
        if anchor not in self.codecs:
            raise ConfigError(f"the anchor {anchor} is not among the codecs that ran: {', '.join(self.codecs)}")
        base = self.points(anchor, metric)
        return {
            codec: bd_rate_over_pictures(base, self.points(codec, metric), metric, seed)
            for codec in self.codecs
            if codec != anchor
        }

    def at_rates(self, metric: Metric, rates_bpp: Sequence[float] = RATES_BPP) -> dict[str, list[float | None]]:
        """Return the value of each codec's mean curve at some rates, None outside the curve."""
        curves = {codec: mean_curve(self.points(codec, metric), metric) for codec in self.codecs}
        found = {codec: [quality_at(curve, rate) for rate in rates_bpp] for codec, curve in curves.items()}
        return {codec: [None if one is None else metric.value(one) for one in line] for codec, line in found.items()}

    def speeds(self) -> dict[str, tuple[float, float]]:
        """Return megapixels a processor second, (encoding, decoding), over all settings of each codec."""
        found = {}
        for codec in self.codecs:
            rows = [row for row in self.rows if row.codec == codec]
            megapixels = sum(pixels_of(row.height, row.width, row.channels) for row in rows) / 1e6
            totals = sum(row.encode_s for row in rows), sum(row.decode_s for row in rows)
            found[codec] = tuple(megapixels / seconds if seconds else math.nan for seconds in totals)
        return found

    def summary(self, anchor: str, seed: int = 0) -> BenchFile:
        """Return everything: the tables, then the rows they come from."""
        return BenchFile(
            codecs=self.codecs,
            absent=self.absent,
            pictures=self.pictures,
            versions=self.versions,
            anchor=anchor,
            seed=seed,
            repeats=self.repeats,
            mean_points={
                metric.key: {
                    codec: {str(quality): point for quality, point in mean_points(self.points(codec, metric)).items()}
                    for codec in self.codecs
                }
                for metric in METRICS
            },
            rates_bpp=RATES_BPP,
            at_rates={metric.key: self.at_rates(metric) for metric in METRICS},
            bd_rates={metric.key: self.bd_rates(anchor, metric, seed) for metric in METRICS},
            megapixels_per_cpu_second=self.speeds(),
            failures=self.failures,
            rows=self.rows,
        )

    def write(self, folder: Path, anchor: str, seed: int = 0) -> None:
        """Write `bench.csv` (the rows) and `bench.json` (`summary`), each whole or not at all."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(Row.model_fields)
        table.writerows([getattr(row, name) for name in Row.model_fields] for row in self.rows)
        write_text(folder / "bench.csv", text.getvalue())
        write_result(folder / "bench.json", self.summary(anchor, seed))


def read_bench(path: Path) -> tuple[Bench, int]:
    """Return a comparison that `Bench.write` wrote as `bench.json`, and the seed of its bootstrap.

    Raises:
        DataError: the file is missing or no such comparison.
    """
    stored = read_result(path, BenchFile)
    bench = Bench(
        stored.rows, stored.failures, stored.codecs, stored.absent, stored.pictures, stored.repeats, stored.versions
    )  # fmt: skip
    return bench, stored.seed


def run_bench(
    pictures: Sequence[Picture], codecs: Sequence[Codec], *, repeats: int = 1, jobs: int = 1, progress: Progress | None = None
) -> Bench:
    """Put every picture through every codec at each of its qualities.

    Args:
        pictures: their names differ.
        codecs: those of `codecs_by_name`, or objects of your own with the members of `Codec`; with several jobs they must pickle.
        repeats: repetitions of each encoding and decoding, for the times.
        jobs: processes; each uses one thread where the codec lets it choose.
        progress: told after each setting (after each picture and codec with several jobs).

    Raises:
        DataError: there are no pictures, or one cannot be read.
        ConfigError: names are not unique, no codec can run, or a number is below 1.
        ScimlError: a process ended without a word.
    """
    if not pictures:
        raise DataError("0 pictures to compare codecs on: give at least one")
    for kind, names in (("pictures", [one.name for one in pictures]), ("codecs", [codec.name for codec in codecs])):
        if len(set(names)) < len(names):
            raise ConfigError(f"two {kind} have the same name: {', '.join(sorted(names))}")
    if min(repeats, jobs) < 1:
        raise ConfigError(f"repeats and jobs are 1 or more, got {repeats} and {jobs}")
    absent = {codec.name: reason for codec in codecs if (reason := missing_reason(codec))}
    present = [codec for codec in codecs if codec.name not in absent]
    if not present:
        raise ConfigError(f"none of the codecs can run here: {'; '.join(f'{name} {why}' for name, why in absent.items())}")
    tasks = [(picture, index) for picture in pictures for index in range(len(present))]
    run = _serial if jobs == 1 else _parallel
    every = len(pictures) * sum(len(codec.qualities) for codec in present)
    done, found = 0, {}
    for task, results, last in run(tasks, present, repeats, jobs):
        found.setdefault(task, []).extend(results)
        done += len(results)
        if progress:
            progress(done, every, last)
    results = [one for task in range(len(tasks)) for one in found.get(task, [])]
    return Bench(
        tuple(one for one in results if isinstance(one, Row)),
        tuple(one for one in results if isinstance(one, Failure)),
        {codec.name: codec.settings for codec in present},
        absent,
        {picture.name: picture.notes for picture in pictures},
        repeats,
        versions(),
    )


Task = tuple[Picture, int]
Part = tuple[int, list[Row | Failure], str]


def _serial(tasks: Sequence[Task], codecs: Sequence[Codec], repeats: int, jobs: int) -> Iterator[Part]:
    for number, (picture, index) in enumerate(tasks):
        for result in _results(picture, codecs[index], repeats):
            yield number, [result], f"{picture.name}, {codecs[index].name}"


def _parallel(tasks: Sequence[Task], codecs: Sequence[Codec], repeats: int, jobs: int) -> Iterator[Part]:
    try:
        pickle.dumps(codecs)
    except Exception as error:  # what cannot be pickled is answered with errors of many kinds
        raise ConfigError(f"these codecs do not pickle, so that they run with 1 job only: {error}") from error
    before = set(multiprocessing.active_children())
    # a forked copy of a process with threads may hang
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), context, _start_worker, (list(codecs),))
    try:
        futures: dict[Future[list[Row | Failure]], int] = {
            pool.submit(_work, picture, index, repeats): number for number, (picture, index) in enumerate(tasks)
        }
        for future in as_completed(futures):
            picture, index = tasks[futures[future]]
            yield futures[future], future.result(), f"{picture.name}, {codecs[index].name}"
    except BrokenProcessPool as error:
        raise ScimlError("a process of the comparison was killed, or the machine ran out of memory: use fewer jobs") from error
    except BaseException:
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_codecs: list[Codec] = []  # of a worker process


def _start_worker(codecs: list[Codec]) -> None:
    from sciml.runtime.devices import set_threads

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one ends the others
    set_threads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    _codecs[:] = codecs


def _work(picture: Picture, index: int, repeats: int) -> list[Row | Failure]:
    return list(_results(picture, _codecs[index], repeats))


def _results(picture: Picture, codec: Codec, repeats: int) -> Iterator[Row | Failure]:
    original = picture.pixels()
    with suppress(Exception):  # a failure is told of the whole picture
        codec.decode(codec.encode(np.ascontiguousarray(original[:WARM_SIDE, :WARM_SIDE]), codec.qualities[0]))
    for quality in codec.qualities:
        try:
            yield _row(picture.name, original, codec, quality, repeats)
        except Exception as error:  # codecs of others fail in ways of their own; the comparison goes on without this point
            reason = " ".join(str(error).split()) or type(error).__name__
            yield Failure(picture=picture.name, codec=codec.name, quality=quality, reason=reason)


@dataclass(frozen=True)
class Coded:
    """What became of one picture: size of the file, quality, processor seconds."""

    file_bytes: int
    quality: Quality
    encode_s: float
    decode_s: float


def coded(codec: Codec, original: Pixels, quality: float, repeats: int = 1) -> Coded:
    """Return what a codec makes of a picture at one quality, judged by the whole file; the times are the least of the repeats."""
    content, encode_s = _timed(lambda: codec.encode(original, quality), repeats)
    decoded, decode_s = _timed(lambda: codec.decode(content), repeats)
    if original.ndim == 2 and decoded.ndim == 3:
        # WebP and AVIF hand grey back with three channels that are equal but for rounding
        decoded = np.rint(decoded @ np.array(LUMA)).astype(np.uint8)
    return Coded(len(content), measure(decoded, original), encode_s, decode_s)


def _row(name: str, original: Pixels, codec: Codec, quality: float, repeats: int) -> Row:
    found = coded(codec, original, quality, repeats)
    height, width = original.shape[:2]
    channels = original.shape[2] if original.ndim == 3 else 1
    return Row(
        picture=name,
        codec=codec.name,
        quality=quality,
        height=height,
        width=width,
        channels=channels,
        file_bytes=found.file_bytes,
        rate_bpp=8 * found.file_bytes / pixels_of(height, width, channels),
        psnr_db=found.quality.psnr_db,
        ms_ssim=found.quality.ms_ssim,
        encode_s=found.encode_s,
        decode_s=found.decode_s,
    )


def pixels_of(height: int, width: int, channels: int) -> int:
    """Return the number of pixels: colours share theirs, neighbouring slices do not."""
    return height * width * (1 if channels == len(LUMA) else channels)


def _timed(work: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    best, result = math.inf, None
    for _ in range(repeats):
        begun = time.process_time()
        result = work()
        best = min(best, time.process_time() - begun)
    return result, best
