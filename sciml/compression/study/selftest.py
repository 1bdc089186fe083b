"""The test of an installation: does this machine decode what another one coded?

A reference stands beside each shipped model, `<name>.selftest.json`: small files that were coded where the model was
published. Their codes have to come out equal here, bit for bit, and their pictures with the same error. What is coded here
may differ from them: the encoder's choice rests on floats, and any choice decodes.
"""

from __future__ import annotations

import base64
import binascii
import importlib.metadata
import math
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Shaped

import sciml
from sciml.compression.codecs.codec import codec_of
from sciml.compression.codecs.model_files import LOSSLESS, Model, load_any, shipped
from sciml.compression.coding.encoding import EncodeOptions
from sciml.compression.coding.picture_codec import PictureCodec
from sciml.compression.coding.samples import AnyModel, samples_of
from sciml.compression.container.file import read_header
from sciml.compression.study.quality import psnr_of
from sciml.runtime.devices import thread_count
from sciml.runtime.errors import ConfigError, FormatError, ScimlError
from sciml.runtime.files import read_json

ROWS, COLUMNS = 88, 104
TILE_LOG2 = 6
# machines round pixels differently: by one grey level here and there, which changes the error far less
TOLERANCE_DB = 0.05
PACKAGES = ("numpy", "constriction", "torch")


@dataclass(frozen=True)
class Check:
    """A line of the result."""

    model: str
    name: str
    verdict: Literal["pass", "FAIL", "no reference"]
    detail: str


def selftest(models: Sequence[str] = ()) -> list[Check]:
    """Return the checks of some models, of all shipped ones where none is named.

    Args:
        models: names of shipped models, or model files.

    Raises:
        ConfigError: there is no such model, or none is shipped.
    """
    known = shipped()
    paths = {name: known.get(name, Path(name)) for name in models} or dict(known)
    if not paths:
        raise ConfigError("nothing to test: no model comes with this installation; give one with --model")
    return [check for name, path in paths.items() for check in _checks(name, path)]


def selftest_reference(model: Model) -> dict[str, Any]:
    """Return what `selftest` compares a model with on other machines, as JSON values; see `reference_path`.

    The built-in picture coded at the coarsest, the middle and the finest step: each file in base 64, the CRC32 of its codes and
    the error of its picture.
    """
    codec, picture = codec_of(model), built_in_picture(model)
    streams = []
    for code, data in _coded(codec, picture).items():
        error = round(_error(codec, data, picture), 3)
        streams.append({"step": code, "data": base64.b64encode(data).decode(), "codes_crc32": _codes_crc(data), "psnr_db": error})
    return {"model_id": model.id.hex(), "streams": streams}


def reference_path(model_path: Path) -> Path:
    """Return where the reference of a model file lies: `photo.selftest.json` beside `photo.safetensors`."""
    return model_path.with_name(f"{model_path.stem}.selftest.json")


def machine() -> dict[str, str]:
    """Return what the result may depend on, by name."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "system": platform.platform(),
        "processor": f"{platform.machine()}, {thread_count()} threads",
        "Python": platform.python_version(),
        "sciml": sciml.__version__,
        **versions,
    }


def built_in_picture(model: AnyModel) -> Shaped[np.ndarray, "rows columns *channels"]:
    """Return the built-in picture: ramps, a disc, stripes, a chequered corner and speckles, from whole numbers alone."""
    row, column = np.mgrid[:ROWS, :COLUMNS]
    planes = []
    for channel in range(model.channels):
        plane = 40 + row + (1 + channel % 2) * column // 2
        disc = (row - 40) ** 2 + (column - 36 - 3 * channel) ** 2 < 600
        plane = np.where(disc, 200 - 30 * (channel % 3), plane)
        plane = np.where((row > 60) & (column < 40), 90 + 90 * ((row + column) // 3 % 2), plane)
        plane = np.where((row < 24) & (column > 72), 255 * ((row // 4 + column // 4) % 2), plane)
        # a multiplicative hash of the place
        planes.append(plane + (row * 7919 + column * 104729 + channel * 1299709) * 2654435761 % 2**32 // 2**29)
    picture = np.stack(planes, 2).clip(0, 255).astype(np.uint8)
    picture = picture[..., 0] if model.channels == 1 else picture
    return picture.astype(np.float32) if model.span == 1 else picture


def _checks(name: str, path: Path) -> Iterator[Check]:
    try:
        model = load_any(path)
    except ScimlError as error:
        yield Check(name, "model file", "FAIL", str(error))
        return
    yield Check(name, "model file", "pass", f"id {model.id.hex()}, {model.channels} channels")
    codec, picture = codec_of(model), built_in_picture(model)
    errors: dict[bytes, float] = {}
    try:
        for data in _coded(codec, picture).values():
            errors[data] = _error(codec, data, picture)
        yield _round_trip(name, errors)
    except ScimlError as error:
        yield Check(name, "round trip", "FAIL", str(error))
    yield from _against_reference(name, codec, reference_path(path), errors)


def _error(codec: PictureCodec, data: bytes, picture: Shaped[np.ndarray, "rows columns *channels"]) -> float:
    """Return the PSNR of a file; decoding compares its codes with the checksum that it holds."""
    decoded = codec.decode(data)
    if decoded.shape != picture.shape or decoded.dtype != picture.dtype:
        raise FormatError(f"the decoded picture is {decoded.dtype} {decoded.shape}, not {picture.dtype} {picture.shape}")
    return psnr_of(decoded, picture)


def _round_trip(name: str, errors: Mapping[bytes, float]) -> Check:
    found = ", ".join(f"{len(data)} bytes {error:.2f} dB" for data, error in errors.items())
    if sorted(errors.values()) != list(errors.values()):
        return Check(name, "round trip", "FAIL", f"finer steps give larger errors: {found}")
    return Check(name, "round trip", "pass", found)


def _against_reference(name: str, codec: PictureCodec, path: Path, own: Mapping[bytes, float]) -> Iterator[Check]:
    if not path.is_file():
        yield Check(name, "reference", "no reference", f"{path.name} is not there: equality with other machines is not shown")
        return
    try:
        reference = read_json(path)
        if reference["model_id"] != codec.model_id.hex():
            raise FormatError(f"{path.name} is of the model {reference['model_id']}, this is {codec.model_id.hex()}")
        for stream in reference["streams"]:
            yield _stream(name, codec, stream, own)
    except (KeyError, TypeError, ValueError, ScimlError) as error:
        yield Check(name, "reference", "FAIL", f"{path.name}: {type(error).__name__} {error}")


def _stream(name: str, codec: PictureCodec, stream: Mapping[str, Any], own: Mapping[bytes, float]) -> Check:
    """Return the check of a file of the reference; `own` are the errors of those that were coded here."""
    title = f"reference at step {stream['step']}"
    try:
        data = base64.b64decode(stream["data"], validate=True)
        codes = _codes_crc(data)
        error = own[data] if data in own else _error(codec, data, built_in_picture(codec.model))
    except (ScimlError, binascii.Error) as problem:
        return Check(name, title, "FAIL", str(problem))
    if codes != stream["codes_crc32"]:
        return Check(name, title, "FAIL", f"codes {codes}, expected {stream['codes_crc32']}")
    # JSON has no infinity, which is that of an exact copy
    wanted = math.inf if stream["psnr_db"] is None else float(stream["psnr_db"])
    if error != wanted and abs(error - wanted) > TOLERANCE_DB:
        return Check(name, title, "FAIL", f"codes equal, but the picture has {error:.3f} dB, expected {wanted:.3f}")
    coded = "coded to the same bytes here" if data in own else "coded to other bytes here, which is allowed"
    return Check(name, title, "pass", f"codes {codes}, {error:.2f} dB; {coded}")


def _coded(codec: PictureCodec, picture: Shaped[np.ndarray, "*shape"]) -> dict[int, bytes]:
    """Return the picture's files at the coarsest, the middle and the finest step, by step code; in several tiles."""
    samples = samples_of(picture, codec.model)
    return {code: codec.encode_samples(samples, code, _options(codec)).data for code in codec.model.test_codes}


def _options(codec: PictureCodec) -> EncodeOptions:
    # files without loss have larger tiles than the picture
    return EncodeOptions(tile_log2=0 if codec.model.name == LOSSLESS else TILE_LOG2)


def _codes_crc(data: bytes) -> str:
    """Return the checksum of the codes that a file holds, and that decoding compares its codes with."""
    return f"{read_header(data).codes_crc or 0:08x}"
