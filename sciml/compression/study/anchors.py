"""Classical picture codecs through Pillow, and what any codec must offer to be compared with them.

Every setting that changes the bytes is given here, none is left to a default of the library: the file of a picture depends on
the versions of the codecs alone, not on the number of cores.
"""

from __future__ import annotations

import importlib.metadata
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import PIL.features
import PIL.Image

from sciml.compression.pictures.eight_bits import Pixels
from sciml.runtime.errors import ConfigError, FormatError, ShapeError

if TYPE_CHECKING:
    from sciml.compression.coding.picture_codec import PictureCodec
    from sciml.compression.coding.symbol_choice import Tune

OWN = "nic:"


@runtime_checkable
class Codec(Protocol):
    """What the bench asks of a codec, of ours and of others."""

    @property
    def name(self) -> str:
        """Short name in tables and files."""
        ...

    @property
    def settings(self) -> str:
        """What was chosen, in words."""
        ...

    @property
    def qualities(self) -> Sequence[float]:
        """Quality settings from the least to the best."""
        ...

    def encode(self, picture: Pixels, quality: float) -> bytes:
        """Return the whole file of a picture."""
        ...

    def decode(self, content: bytes) -> Pixels:
        """Return the picture of a file; a grey one may come back with three equal channels."""
        ...


@dataclass(frozen=True)
class Anchor:
    """A codec that Pillow reads and writes.

    Attributes:
        name: short name, such as `jpeg`.
        settings: what was chosen, in words.
        qualities: quality settings from the least to the best, in the codec's own unit.
        file_format: Pillow's name of the format.
        options: Pillow's options from the quality setting and the number of channels, 1 or 3.
        missing: returns why the codec is not there, or None.
    """

    name: str
    settings: str
    qualities: tuple[float, ...]
    file_format: str
    options: Callable[[float, int], dict[str, Any]]
    missing: Callable[[], str | None]

    def encode(self, picture: Pixels, quality: float) -> bytes:
        """Return the file of a picture.

        Args:
            picture: (rows, columns, 3) or (rows, columns), uint8.
            quality: one setting, in the unit of `qualities`.

        Raises:
            ConfigError: the codec is not installed.
            ShapeError: the array is no picture of 8 bits.
        """
        self._need()
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)):
            raise ShapeError(
                f"{self.name} takes uint8 of shape (rows, columns) or (rows, columns, 3), got {picture.dtype} {picture.shape}"
            )
        file = io.BytesIO()
        options = self.options(quality, 3 if picture.ndim == 3 else 1)
        PIL.Image.fromarray(np.ascontiguousarray(picture)).save(file, self.file_format, **options)
        return file.getvalue()

    def decode(self, content: bytes) -> Pixels:
        """Return the picture of a file: (rows, columns, 3), or (rows, columns) where the format knows grey.

        Raises:
            ConfigError: the codec is not installed.
            FormatError: the file is damaged.
        """
        self._need()
        try:
            with PIL.Image.open(io.BytesIO(content), formats=(self.file_format,)) as picture:
                return np.array(picture if picture.mode == "L" else picture.convert("RGB"))
        except OSError as error:
            raise FormatError(f"these {len(content)} bytes are no {self.name} file: {error}") from error

    def _need(self) -> None:
        if reason := self.missing():
            raise ConfigError(f"{self.name} is {reason}")


@dataclass(frozen=True)
class Own:
    """One of our own models, at some of its qualities; other processes load it by its name.

    Attributes:
        name: `nic:MODEL`.
        settings: the model and its id.
        model: name of a shipped model, or the path of a model file.
        qualities: qualities of 1 to 100.
        refine: False leaves out the network behind the decoder.
        tune: what the encoder aims at.
    """

    name: str
    settings: str
    model: str
    qualities: tuple[float, ...] = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
    refine: bool = True
    tune: Tune = "psnr"

    def encode(self, picture: Pixels, quality: float) -> bytes:
        """Return the `.nic` file of a picture."""
        return _load_own(self.model, self.refine).encode(picture, quality=quality, tune=self.tune)

    def decode(self, content: bytes) -> Pixels:
        """Return the picture of a `.nic` file."""
        return _load_own(self.model, self.refine).decode(content)


def missing_reason(codec: Codec) -> str | None:
    """Return why a codec cannot run here, `not installed: ...`, or None."""
    return codec.missing() if isinstance(codec, Anchor) else None


def _jpeg(quality: float, channels: int) -> dict[str, Any]:
    return {"quality": int(quality), "subsampling": "4:2:0", "optimize": True, "progressive": True}


def _webp(quality: float, channels: int) -> dict[str, Any]:
    return {"quality": quality, "method": 6}


def _avif(quality: float, channels: int) -> dict[str, Any]:
    # with more threads the library cuts larger pictures into tiles, which costs bytes
    subsampling = "4:2:0" if channels == 3 else "4:0:0"
    return {"quality": int(quality), "speed": 6, "subsampling": subsampling, "range": "full", "max_threads": 1}


def _jpeg_2000(quality: float, channels: int) -> dict[str, Any]:
    # bits of a raw pixel over bits of a coded one. Pillow leaves the colour transform out unless it is asked for, which costs
    # 1.5 dB at 0.1 and 2.8 dB at 0.5 bits a pixel
    rates = {"quality_mode": "rates", "quality_layers": [8 * channels / quality]}
    return {**rates, "irreversible": True, "mct": int(channels == 3), "no_jp2": True}


def _jpeg_xl(quality: float, channels: int) -> dict[str, Any]:
    return {"quality": int(quality), "effort": 7, "num_threads": 0}


def _built_in() -> None:
    return None


def _no_webp() -> str | None:
    return None if PIL.features.check("webp") else "not installed: this Pillow was built without WebP"


def _no_avif() -> str | None:
    return None if PIL.features.check("avif") else "not installed: this Pillow was built without AVIF; it needs Pillow 11.3"


def _no_jpeg_2000() -> str | None:
    return None if PIL.features.check("jpg_2000") else "not installed: this Pillow was built without JPEG 2000"


def _no_jpeg_xl() -> str | None:
    try:
        importlib.import_module("pillow_jxl")  # which registers the format
    except ImportError:
        return "not installed: it needs the package pillow-jxl-plugin"
    return None


ANCHORS = {
    anchor.name: anchor
    for anchor in (
        Anchor(
            "jpeg",
            "colour 4:2:0, optimised Huffman tables, progressive",
            (2, 5, 8, 10, 15, 20, 30, 50, 75, 90),
            "JPEG",
            _jpeg,
            _built_in,
        ),
        Anchor("webp", "lossy, method 6", (0, 1, 5, 10, 20, 40, 60, 75, 85), "WEBP", _webp, _no_webp),
        Anchor(
            "jpeg2000",
            "9/7 wavelet, colour transform, raw codestream; quality is the rate asked for in bits a pixel",
            (0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0),
            "JPEG2000",
            _jpeg_2000,
            _no_jpeg_2000,
        ),
        Anchor("avif", "colour 4:2:0, speed 6, one thread", (2, 10, 20, 30, 40, 50, 60, 70), "AVIF", _avif, _no_avif),
        Anchor("jpegxl", "lossy, effort 7", (5, 10, 20, 30, 60, 75, 90), "JXL", _jpeg_xl, _no_jpeg_xl),
    )
}


def codecs_by_name(names: Sequence[str]) -> list[Codec]:
    """Return codecs by name: the anchors here, and our own models as `nic:NAME`.

    `sciml.compression.codecs.codec` is imported only when one of our own is asked for. An anchor whose library is absent is
    returned too, and `missing_reason` says so: a table must not lose a row without a word.

    Raises:
        ConfigError: a name is unknown or given twice, or there is no such model.

    Example:
        >>> [codec.name for codec in codecs_by_name(["jpeg", "webp"])]
        ['jpeg', 'webp']
    """
    if twice := next((name for i, name in enumerate(names) if name in names[:i]), None):
        raise ConfigError(f"the codec {twice} is named twice")
    return [_own(name) if name.startswith(OWN) else _anchor(name) for name in names]


def _anchor(name: str) -> Codec:
    if name not in ANCHORS:
        raise ConfigError(f"no codec is called {name!r}; there are {', '.join(ANCHORS)}, and {OWN}MODEL for our own")
    return ANCHORS[name]


def _own(name: str) -> Codec:
    model = name.removeprefix(OWN)
    return Own(name, f"learned codec, model {model} {_load_own(model, True).model_id.hex()}", model)


@lru_cache
def _load_own(model: str, refine: bool) -> PictureCodec[Any]:
    from sciml.compression.codecs.codec import Codec as OwnCodec

    return OwnCodec.load(model, refine=refine)


def versions() -> dict[str, str]:
    """Return the versions of everything that a result depends on, `absent` for what is not installed."""
    found = {}
    for package in ("numpy", "pillow", "pillow-heif", "pillow-jxl-plugin", "pytorch-msssim", "torch", "bjontegaard"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "absent"
    libraries = {"libjpeg-turbo": "libjpeg_turbo", "libwebp": "webp", "openjpeg": "jpg_2000", "libavif": "avif"}
    return found | {name: str(PIL.features.version(feature) or "absent") for name, feature in libraries.items()}
