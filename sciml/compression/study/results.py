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


class Layer(Result):
    """One layer of a file.

    Attributes:
        planes: first plane, and the first of the next layer.
        bytes: size of the layer.
        ideal_bits: ideal code length by the tables.
        file_bytes_so_far: size of the file up to this layer.
        psnr_db: PSNR of the picture decoded up to this layer.
    """

    planes: tuple[int, int]
    bytes: int
    ideal_bits: float
    file_bytes_so_far: int
    psnr_db: Decibels


class InspectedRow(Result):
    """One picture of `inspect.json` at one quality.

    Attributes:
        picture: its name.
        quality: quality from 1 to 100.
        pixels: pixels of the picture.
        set: number of the set of rules and tables.
        file_bytes: size of the file.
        overhead_bytes: header and checksums.
        tiles: number of tiles.
        layers: coarse to fine.
        band_bits: ideal code length of each band of planes.
    """

    picture: str
    quality: Number
    pixels: int
    set: int
    file_bytes: int
    overhead_bytes: int
    tiles: int
    layers: list[Layer]
    band_bits: list[float]


class ModelFacts(Result):
    """What a model is made of.

    Attributes:
        id: 8 bytes in hexadecimal.
        name: name of the model.
        channels: channels of its pictures.
        steps: steps of the quantiser, one for each set, in units of the span.
        planes: planes that are coded, by set.
        network_weights: None without a network behind the decoder.
        network_products_per_pixel: multiplications of the network; None without one.
        file_bytes: size of the model file.
    """

    id: str
    name: str
    channels: int
    steps: list[float]
    planes: list[int]
    network_weights: int | None
    network_products_per_pixel: float | None
    file_bytes: int


class EqualBytes(Result):
    """One picture through one codec, near the size of the others' files.

    Attributes:
        picture: its name.
        codec: its name on the page.
        quality: the codec's own setting; None where a size was asked for.
        bytes: size of the file.
        pixels: pixels of the picture.
        psnr_db: infinite for an exact copy.
        ms_ssim: MS-SSIM from 0 to 1; None for small pictures.
    """

    picture: str
    codec: str
    quality: Number | None
    bytes: int
    pixels: int
    psnr_db: Decibels
    ms_ssim: float | None


class Seams(Result):
    """Mean steps of the error over borders of tiles, and at the same places of a file without tiles, in grey levels."""

    picture: str
    step_tiled: float
    bytes_tiled: float
    step_whole: float
    bytes_whole: float


class StaticTables(Result):
    """Bits of all pictures at one quality with the best table of each band, and of each plane, in place of classes."""

    quality: Number
    band_bits: float
    plane_bits: float


class FreshProcess(Result):
    """One file decoded in a process of its own.

    Attributes:
        environment: what is other there, in words.
        picture: name of the file.
        codes_equal: whether the codes are those of this process.
        largest_pixel_difference: difference in grey levels, or in the unit of a field.
        share_of_range: that difference over the range of the samples.
    """

    environment: str
    picture: str
    codes_equal: bool
    largest_pixel_difference: Number
    share_of_range: float


class Damage(Result):
    """Single bytes of a file that were changed, and how many of the changes a reader found."""

    tried: int
    found: int


class MapNotes(Result):
    """Of which picture, planes and quantiser step `maps.safetensors` is."""

    picture: str
    planes: list[int]
    step: float


class InspectionFile(Result):
    """`inspect.json`.

    Attributes:
        model: what it is made of.
        rows: every picture at every quality.
        equal: shown pictures at equal bytes.
        seams: seams of pictures with several tiles.
        sums: logarithm to base 2 of the largest sum by kind of rule.
        static: what tables without classes would take, by quality.
        processes: the shown files in processes of their own.
        damage: None where no picture is shown.
        maps: not given where no picture is shown.
    """

    model: ModelFacts
    rows: list[InspectedRow]
    equal: list[EqualBytes]
    seams: list[Seams]
    sums: dict[str, float]
    static: list[StaticTables]
    processes: list[FreshProcess]
    damage: Damage | None
    maps: MapNotes | None = None


class EqualSamples(Result):
    """One slice or field through one codec at the size of JPEG 2000's file.

    Attributes:
        picture: its name.
        codec: its name on the page.
        bytes: size of the file.
        pixels: pixels of the picture.
        psnr_db: over the range; infinite for an exact copy.
        range: range of the type for slices, of the values for fields.
        unit: unit of the values.
    """

    picture: str
    codec: str
    bytes: int
    pixels: int
    psnr_db: Decibels
    range: float
    unit: str


class Spectrum(Result):
    """What a decoded vorticity field keeps of its enstrophy spectrum.

    Attributes:
        picture: its name.
        run: simulated run that it comes from.
        codec: its name on the page.
        ratio: times smaller than float32.
        bytes: size of the file.
        largest: largest relative error of a shell up to `last`.
        at: the shell that has it.
        last: the least shell up to which 99 % of the enstrophy lies.
        total: relative error of the enstrophy.
        rms_over_deviation: error over the field's standard deviation.
    """

    picture: str
    run: str
    codec: str
    ratio: Number
    bytes: int
    largest: float
    at: int
    last: int
    total: float
    rms_over_deviation: float


class Border(Result):
    """Root mean square error of one field within a block of its border, over that inside."""

    picture: str
    ratio: float


class VolumesAndFieldsFile(Result):
    """`apart.json`: slices or fields of one domain.

    Attributes:
        kind: `slices` or `fields`.
        equal: shown pictures at equal bytes.
        spectra: spectra of fields.
        borders: errors at the borders of fields.
        processes: the shown files in processes of their own.
    """

    kind: str
    equal: list[EqualSamples]
    spectra: list[Spectrum]
    borders: list[Border]
    processes: list[FreshProcess]


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
