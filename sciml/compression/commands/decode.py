"""What `decode` and `verify` do with `.nic` files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sciml.batch import Job, Outcome, find, kept, look, plan, run
from sciml.compression.codecs.codec import codec_of
from sciml.compression.codecs.model_files import Model, find_model, load_any
from sciml.compression.commands.streams import piped
from sciml.compression.container.file import Container, Header, Limits, read_container, read_header
from sciml.compression.container.header import check_size
from sciml.formats.pictures import check_pixels
from sciml.formats.pillow import samples_text
from sciml.formats.write import SAMPLE_SUFFIXES, check_form, sample_suffix, suffix_for, write_picture
from sciml.runtime.errors import ConfigError, DataError, FormatError, ScimlError
from sciml.runtime.files import new_file

NIC = ".nic"
ANY_PIXELS = 2**62


@dataclass(frozen=True)
class DecodeOrder:
    """How files are to be decoded; the options of the command, see there."""

    model: str | None = None
    layers: int | None = None
    salvage: bool = False
    refine: bool = True
    max_pixels: int = Limits().pixels
    force: bool = False
    max_tiles: int | None = None

    @property
    def limits(self) -> Limits:
        """What is accepted."""
        return limits_of(self.max_pixels, self.max_tiles)

    def model_for(self, header: Header) -> Model:
        """Return the model that was named, else the shipped one with the file's id; never one that the file names a path of."""
        return find_model(header.model_id) if self.model is None else load_any(self.model)


def limits_of(max_pixels: int, max_tiles: int | None = None) -> Limits:
    """Return the limits that the options ask for; so many tiles are taken however small they are."""
    limits = Limits(pixels=max_pixels)
    return limits if max_tiles is None else replace(limits, tiles=max(max_tiles, limits.tiles), small_tiles=max_tiles)


def decode_files(
    words: Sequence[str], out: Path, order: DecodeOrder, say: Callable[[str], None], processes: int | None = None
) -> list[Outcome]:
    """Decode files, folders and patterns into a picture file or a folder of them.

    Raises:
        ScimlError: see `sciml.batch.plan` and `sciml.batch.run`.
    """
    with piped(words, out, None, NIC, say) as (words, out, say):
        jobs = plan(words, out, (NIC,), SAMPLE_SUFFIXES, ".png")
        look(lambda job: read_file(job.source, order.max_pixels, order.max_tiles), jobs, order.force)
        if order.model is not None:
            load_any(order.model)
        return run(partial(decode_file, order), jobs, say, processes)


def decode_file(order: DecodeOrder, job: Job) -> Outcome:
    """Decode one file.

    Raises:
        ScimlError: it is damaged, of another model, or the picture cannot be written.
    """
    data, header = read_file(job.source, order.max_pixels, order.max_tiles)
    count = len(header.channels) + (header.alpha_bytes is not None)
    target = job.target or job.source.with_suffix(".png")
    if not job.named:
        target = target.with_suffix(suffix_for(header.sample_type, count))
    check_form(target, header.sample_type, count, (header.width, header.height))
    if order.layers is not None and order.layers > header.layers:
        raise ConfigError(f"--layers {order.layers}: {job.source} has {header.layers}")
    if there := kept(job, target, order.force):
        return there
    codec = codec_of(order.model_for(header), order.limits, order.refine)
    codec.check(header)
    container = _container(data, order)
    array = codec.decode_container(container, order.layers)
    with new_file(target, order.force) as temporary:
        write_picture(temporary, array, container.icc_profile, sample_suffix(target), header.channels[0].unit)
    line = f"{job.source} -> {target}: {samples_text(array)}"
    if order.layers is not None and order.layers < header.layers:
        line += f", {order.layers} of {header.layers} layers"
    return Outcome(job.source, line, missing=container.damage)


def read_file(path: Path, most_pixels: int, most_tiles: int | None = None) -> tuple[bytes, Header]:
    """Return the bytes of a `.nic` file and its header, checked against the limits before anything is decoded.

    Raises:
        DataError: no such file, or it claims too many pixels.
        FormatError: no `.nic` file, or a damaged header.
    """
    most = Limits().bytes
    try:
        if (size := path.stat().st_size) > most:
            raise FormatError(f"{path} has {size} bytes: at most {most} are read")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    header = read_header(data, limits_of(ANY_PIXELS, ANY_PIXELS))
    check_pixels(header.width, header.height, most_pixels, path)
    limits = limits_of(most_pixels, most_tiles)
    try:
        check_size(header.width, header.height, len(header.channels), header.layers, header.tile_log2, limits)
    except FormatError as error:
        raise FormatError(f"{error}, with --max-tiles {header.tile_rows * header.tile_columns}") from error
    return data, header


def verify_files(
    words: Sequence[str],
    model: str | None,
    max_pixels: int,
    say: Callable[[str], None],
    processes: int | None = None,
    max_tiles: int | None = None,
) -> list[Outcome]:
    """Check every payload and the codes of files, a line each.

    Raises:
        DataError: at least one is not good, or could not be checked in full.
    """
    order = DecodeOrder(model, max_pixels=max_pixels, max_tiles=max_tiles)
    if model is not None:
        load_any(model)
    jobs = [Job(item.path) for item in find(words, (NIC,))]
    return run(partial(verify_file, order), jobs, say, processes, one_bad=True)


def verify_file(order: DecodeOrder, job: Job) -> Outcome:
    """Return what is wrong with one file, or that nothing is."""
    checked = "nothing"
    try:
        data, header = read_file(job.source, order.max_pixels, order.max_tiles)
        checked = "the header"
        read_container(data, order.limits)
        checked = "header and payloads"
        codec_of(order.model_for(header), order.limits).check_codes(data)
    except ScimlError as error:
        text = f"{error} ({checked} passed)" if checked != "nothing" else str(error)
        return Outcome(job.source, f"{job.source}: BAD", error=f"{job.source}: {text}", exit_code=DataError.exit_code)
    codes = "no checksum of the codes" if header.codes_crc is None else f"codes {header.codes_crc:08x}"
    return Outcome(job.source, f"{job.source}: good, {len(data)} bytes, {codes}")


def _container(data: bytes, order: DecodeOrder) -> Container:
    try:
        container = read_container(data, order.limits, order.salvage)
    except FormatError as error:
        raise FormatError(f"{error}; --salvage writes what is intact") from error
    if not any(container.intact_layers):
        raise FormatError(f"nothing of the picture is intact: {'; '.join(container.damage)}")
    return container
