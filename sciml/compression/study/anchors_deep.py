"""Codecs for what has more than 8 bits or one slice: JPEG 2000 in 16 bits, and neighbouring slices one by one."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image

from sciml.compression.pictures.eight_bits import Pixels
from sciml.compression.study.anchors import ANCHORS, Codec
from sciml.runtime.errors import ConfigError, FormatError, ShapeError

DEPTH = 65535
# length of a slice's file among others
LENGTH = 3
# least and largest value of a field, as float32
RANGE = struct.Struct("<ff")


@dataclass(frozen=True)
class DeepJpeg2000:
    """JPEG 2000 of Pillow in 16-bit grey, 9/7 wavelet, raw codestream.

    A float32 field is spread over 0 to 65535; its range goes before the codestream, in 8 bytes that count.
    """

    name: str = "jpeg2000"
    settings: str = (
        "16-bit grey, 9/7 wavelet, raw codestream; floats are quantised to 16 bits over their range, whose 8 bytes count; "
        "quality is the rate asked for in bits a pixel"
    )
    qualities: tuple[float, ...] = (0.08, 0.12, 0.18, 0.27, 0.4, 0.6, 0.9, 1.35, 2.0, 3.0, 4.5)

    def encode(self, picture: Pixels, quality: float) -> bytes:
        """Return the file of a picture: (rows, columns), uint16 or float32.

        Raises:
            ConfigError: this Pillow has no JPEG 2000.
            ShapeError: another shape or type.
        """
        if reason := ANCHORS["jpeg2000"].missing():
            raise ConfigError(f"{self.name} is {reason}")
        if picture.ndim != 2 or picture.dtype not in (np.uint16, np.float32):
            raise ShapeError(f"{self.name} takes (rows, columns), uint16 or float32, got {picture.dtype} {picture.shape}")
        head, bits = b"", picture
        if picture.dtype == np.float32:
            low, high = float(picture.min()), float(picture.max())
            head = RANGE.pack(low, high)
            bits = np.rint((picture.astype(np.float64) - low) / ((high - low) or 1.0) * DEPTH).astype(np.uint16)
        file = io.BytesIO()
        PIL.Image.fromarray(np.ascontiguousarray(bits)).save(
            file, "JPEG2000", quality_mode="rates", quality_layers=[16 / quality], irreversible=True, mct=0, no_jp2=True
        )
        # a codestream begins with its own mark, which tells the two apart
        return head + file.getvalue()

    def decode(self, content: bytes) -> Pixels:
        """Return the picture of a file.

        Raises:
            FormatError: the file is damaged.
        """
        is_plain = content.startswith(b"\xff\x4f\xff\x51")
        stream = content if is_plain else content[RANGE.size :]
        try:
            with PIL.Image.open(io.BytesIO(stream), formats=("JPEG2000",)) as picture:
                bits = np.array(picture).astype(np.uint16)
            if is_plain:
                return bits
            low, high = RANGE.unpack(content[: RANGE.size])
        except (OSError, struct.error) as error:
            raise FormatError(f"these {len(content)} bytes are no {self.name} file: {error}") from error
        return (low + bits.astype(np.float64) * ((high - low) / DEPTH)).astype(np.float32)


@dataclass(frozen=True)
class BySlice:
    """A codec of single slices on several: one file behind the other, the length of each before it.

    Attributes:
        codec: that of single slices.
    """

    codec: Codec

    @property
    def name(self) -> str:
        """Name of the codec."""
        return self.codec.name

    @property
    def settings(self) -> str:
        """Settings in words."""
        return f"{self.codec.settings}; slice by slice"

    @property
    def qualities(self) -> Sequence[float]:
        """Qualities of the codec."""
        return self.codec.qualities

    def encode(self, picture: Pixels, quality: float) -> bytes:
        """Return the files of (rows, columns, slices); of one slice, (rows, columns), its file with its length."""
        files = [self.codec.encode(np.ascontiguousarray(one), quality) for one in np.moveaxis(np.atleast_3d(picture), 2, 0)]
        return b"".join(len(file).to_bytes(LENGTH, "little") + file for file in files)

    def decode(self, content: bytes) -> Pixels:
        """Return the slices, or the one there is."""
        files = []
        while content:
            end = LENGTH + int.from_bytes(content[:LENGTH], "little")
            files.append(content[LENGTH:end])
            content = content[end:]
        slices = [self.codec.decode(file) for file in files]
        return slices[0] if len(slices) == 1 else np.stack(slices, -1)
