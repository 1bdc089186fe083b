"""Image compression with learned priors: small files that decode to the same codes on every machine.

Example:
    from sciml.compression import Codec

    codec = Codec.load("photo")
    data = codec.encode(image, bpp=0.2)      # uint8, uint16 or float32; (rows, columns[, channels])
    picture = codec.decode(data)
    tokens = codec.codes(data)               # integer planes, tile by tile
    exact = codec.encode(image, max_error=0)  # nothing lost
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

if TYPE_CHECKING:
    from sciml.compression.codecs.codec import Codec
    from sciml.compression.container.file import Channel, Limits
    from sciml.compression.study.curves import curve, quality_at
    from sciml.compression.study.margins.records import CurvesFile
    from sciml.compression.study.results import BenchFile

_HOMES = {
    "BenchFile": "study.results",
    "Channel": "container.file",
    "Codec": "codecs.codec",
    "CurvesFile": "study.margins.records",
    "Limits": "container.file",
    "curve": "study.curves",
    "quality_at": "study.curves",
}
__all__ = ["BenchFile", "Channel", "Codec", "CurvesFile", "Limits", "curve", "quality_at"]


__getattr__ = handed_out(__name__, _HOMES)
