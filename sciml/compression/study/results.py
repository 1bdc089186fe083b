"""What the stages of the study write and its page reads, one model for each file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator

from sciml.compression.study.curves import BdRateOverPictures
from sciml.runtime.results import Result

Number = int | float
"""A number that stays whole in JSON where it is whole."""

Decibels = Annotated[float, BeforeValidator(lambda value: math.inf if value is None else value)]
"""PSNR in dB; infinite for an exact copy, for which JSON holds null."""


class Row(Result):
    """One picture through one codec at one quality.

    Attributes:
        picture: its name.
        codec: its name on the bench.
        quality: the codec's own setting.
        height: rows of the picture.
        width: columns of the picture.
        channels: 1 or 3.
        file_bytes: size of the whole file.
        rate_bpp: 8 x file_bytes / (height x width), in bits a pixel.
        psnr_db: infinite for an exact copy.
        ms_ssim: MS-SSIM from 0 to 1; None for pictures that are too small.
        encode_s: processor seconds of encoding.
        decode_s: processor seconds of decoding.
    """

    picture: str
    codec: str
    quality: Number
    height: int
    width: int
    channels: int
    file_bytes: int
    rate_bpp: float
    psnr_db: Decibels
    ms_ssim: float | None
    encode_s: float
    decode_s: float


class Failure(Result):
    """One picture that a codec could not code at one quality, and why."""

    picture: str
    codec: str
    quality: Number
    reason: str


class BenchFile(Result):
    """`bench.json`: a comparison of codecs, its tables, then the rows that they come from.

    Attributes:
        codecs: settings in words by codec that ran.
        absent: the reason by codec that could not run.
        pictures: notes by picture.
        versions: versions of the libraries.
        anchor: codec that BD-rates are against.
        seed: seed of the bootstrap.
        repeats: repetitions that the times are the least of.
        mean_points: (mean rate in bits a pixel, mean value) by metric, codec and quality, as text.
        rates_bpp: rates of `at_rates`, in bits a pixel.
        at_rates: values of the mean curves at these rates, by metric and codec.
        bd_rates: BD-rates by metric and codec.
        megapixels_per_cpu_second: encoding and decoding, by codec.
        failures: what could not be coded.
        rows: rows by picture, codec and quality.
    """

    codecs: dict[str, str]
    absent: dict[str, str]
    pictures: dict[str, tuple[str, ...]]
    versions: dict[str, str]
    anchor: str
    seed: int
    repeats: int
    mean_points: dict[str, dict[str, dict[str, tuple[float, float | None]]]]
    rates_bpp: tuple[float, ...]
    at_rates: dict[str, dict[str, list[float | None]]]
    bd_rates: dict[str, dict[str, BdRateOverPictures]]
    megapixels_per_cpu_second: Mapping[str, tuple[float | None, float | None]]
    failures: tuple[Failure, ...]
    rows: tuple[Row, ...]


class GroupFacts(Result):
    """What training made of one group's codebook.

    Attributes:
        planes: planes of the group.
        used: words that were chosen.
        perplexity: two to the entropy of the words, classes aside.
        bits: mean ideal code length of a word.
        squared_error: mean over the training vectors, in squared steps.
        revived: words that were dead in some round and given another place.
    """

    planes: list[int]
    used: int
    perplexity: float
    bits: float
    squared_error: float
    revived: int


class GroupSettings(Result):
    """How a model groups its planes; see `sciml.compression.settings.vectors.VectorsConfig`."""

    dimensions: dict[int, int]
    words: int
    passes: int
    together: str
    rounds: int


class Structure(Result):
    """What a model of `structures.json` is.

    Attributes:
        units: planes and groups that are coded, by set.
        file_bytes: size of the model file.
        settings: settings of the groups; not given for the scalar model.
        groups: facts of each group by step; not given for the scalar model.
    """

    units: list[int]
    file_bytes: int
    settings: GroupSettings | None = None
    groups: dict[str, list[GroupFacts]] | None = None


class ExactRow(Result):
    """One picture through one codec without loss, or within a bound.

    Attributes:
        domain: its domain.
        picture: its name.
        codec: name of the codec.
        bound: largest error that was allowed, in levels or in the field's unit; 0: no loss.
        share: the bound over the field's range; 0 of pictures and slices.
        bytes: size of the file.
        samples: number of samples, all channels.
        largest_error: largest error that was found, in the same unit.
        unit: unit of the values.
        encode_s: processor seconds of encoding; None of other codecs.
        decode_s: processor seconds of decoding; None of other codecs.
    """

    domain: str
    picture: str
    codec: str
    bound: float
    share: float
    bytes: int
    samples: int
    largest_error: float
    unit: str = ""
    encode_s: float | None = None
    decode_s: float | None = None


class ExactFile(Result):
    """`lossless.json`.

    Attributes:
        model_id: model without loss.
        settings: what was chosen of each codec, in words.
        missing: codecs that did not run, with the reason.
        rows: by domain, picture, bound and codec.
    """

    model_id: str
    settings: dict[str, str]
    missing: dict[str, str]
    rows: list[ExactRow]
