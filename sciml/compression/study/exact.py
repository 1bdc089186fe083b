"""Other codecs without loss, or within a bound on the error of every sample: what ours is compared with.

PNG, WebP and JPEG XL through Pillow; zfp (Lindstrom 2014) and SZ3 (Liang et al. 2023) for fields, which are development extras.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
from jaxtyping import Shaped

from sciml.compression.study.anchors import ANCHORS
from sciml.runtime.errors import ConfigError

Values = Shaped[np.ndarray, "rows columns *channels"]
Coded = tuple[bytes, Callable[[bytes], Values]]


@dataclass(frozen=True)
class Exact:
    """A codec that keeps every sample, or keeps it within a bound.

    Attributes:
        name: short name.
        settings: what was chosen, in words.
        kinds: kinds of arrays that it takes: `u1` colours or grey, `u2` grey, `f4` fields.
        bounded: whether it takes bounds above 0.
        missing: returns why it is not there, or None.
        encode: array and bound to bytes.
        decode: bytes and the array's shape to the array.
    """

    name: str
    settings: str
    kinds: tuple[str, ...]
    bounded: bool
    missing: Callable[[], str | None]
    encode: Callable[[Values, float], bytes]
    decode: Callable[[bytes, tuple[int, ...]], Values]


def _pillow(
    file_format: str, **options: Any
) -> tuple[Callable[[Values, float], bytes], Callable[[bytes, tuple[int, ...]], Values]]:
    def encode(array: Values, bound: float) -> bytes:
        file = io.BytesIO()
        PIL.Image.fromarray(np.ascontiguousarray(array)).save(file, file_format, **options)
        return file.getvalue()

    def decode(content: bytes, shape: tuple[int, ...]) -> Values:
        with PIL.Image.open(io.BytesIO(content), formats=(file_format,)) as picture:
            found = np.array(picture)
        # WebP knows no grey
        return found[..., 0] if found.ndim > len(shape) else found

    return encode, decode


def _absent(package: str) -> Callable[[], str | None]:
    return lambda: None if importlib.util.find_spec(package) else f"not installed: it needs the package {package}"


def _zfp(array: Values, bound: float) -> bytes:
    import zfpy  # pyright: ignore[reportMissingImports, reportMissingTypeStubs] - an extra of development

    return zfpy.compress_numpy(array, tolerance=bound) if bound else zfpy.compress_numpy(array)


def _unzfp(content: bytes, shape: tuple[int, ...]) -> Values:
    import zfpy  # pyright: ignore[reportMissingImports, reportMissingTypeStubs] - an extra of development

    return zfpy.decompress_numpy(content)


def _sz(array: Values, bound: float) -> bytes:
    import pysz  # pyright: ignore[reportMissingImports, reportMissingTypeStubs] - an extra of development

    config = pysz.szConfig(*array.shape)
    config.errorBoundMode = pysz.szErrorBoundMode.ABS
    config.absErrorBound = bound
    config.cmprAlgo = pysz.szAlgorithm.INTERP_LORENZO
    return pysz.sz.compress(np.ascontiguousarray(array), config)[0].tobytes()


def _unsz(content: bytes, shape: tuple[int, ...]) -> Values:
    import pysz  # pyright: ignore[reportMissingImports, reportMissingTypeStubs] - an extra of development

    return pysz.sz.decompress(np.frombuffer(content, np.uint8), np.float32, shape)[0].reshape(shape)


CODECS = (
    Exact("png", "optimised", ("u1", "u2"), False, lambda: None, *_pillow("PNG", optimize=True)),
    Exact("webp", "lossless, method 6, quality 100", ("u1",), False, ANCHORS["webp"].missing,
          *_pillow("WEBP", lossless=True, quality=100, method=6)),
    Exact("jpegxl", "lossless, effort 7", ("u1", "u2"), False, ANCHORS["jpegxl"].missing,
          *_pillow("JXL", lossless=True, effort=7, num_threads=0)),
    Exact("zfp", "fixed accuracy; reversible where there is no loss", ("f4",), True, _absent("zfpy"), _zfp, _unzfp),
    Exact("sz3", "absolute bound, interpolation and Lorenzo prediction", ("f4",), True, _absent("pysz"), _sz, _unsz),
)  # fmt: skip


def codecs_for(array: Values, bound: float) -> list[Exact]:
    """Return the codecs that take an array and a bound, those that are not installed too; see `Exact.missing`."""
    kind = array.dtype.str[1:]
    return [
        codec for codec in CODECS
        if kind in codec.kinds and (bound == 0 or codec.bounded) and not (codec.name == "sz3" and bound == 0)
    ]  # fmt: skip


def checked(codec: Exact, array: Values, bound: float) -> tuple[int, float]:
    """Return the size of the file in bytes and the largest error of its array.

    Raises:
        ConfigError: the codec is not installed.
    """
    if reason := codec.missing():
        raise ConfigError(f"{codec.name} is {reason}")
    content = codec.encode(array, bound)
    return len(content), worst(codec.decode(content, array.shape), array)


def worst(decoded: Values, original: Values) -> float:
    """Return the largest error of any sample."""
    return float(np.abs(decoded.astype(np.float64) - original.astype(np.float64)).max())
