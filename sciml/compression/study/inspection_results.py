"""What the stages `inspect` and `volumes_and_fields` write and the page reads, one model for each file."""

from __future__ import annotations

from sciml.compression.study.results import Decibels, Number
from sciml.runtime.results import Result


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
