"""One picture through every codec that takes it, at every bound."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from sciml.compression.fitting.pools import Sample
from sciml.compression.lossless.codec import LosslessCodec
from sciml.compression.settings.lossless import BOUNDS, SHARES
from sciml.compression.study.exact import checked, codecs_for, worst
from sciml.compression.study.results import ExactRow
from sciml.runtime.errors import NumericalError

OWN = "nic"


def rows_of(codec: LosslessCodec, domain: str, sample: Sample) -> Iterator[ExactRow]:
    """Yield the row of each codec at each bound.

    Args:
        codec: ours.
        domain: domain of the picture.
        sample: the picture.

    Raises:
        NumericalError: a codec left its bound.
    """
    array = np.ascontiguousarray(sample.array[..., 0] if sample.array.shape[2] == 1 else sample.array)
    floats = array.dtype.kind == "f"
    scale = float(array.max()) - float(array.min()) if floats else 0.0
    for number in SHARES if floats else BOUNDS if array.dtype == np.uint8 else BOUNDS[:1]:
        bound, share = (number * scale, number) if floats else (float(number), 0.0)
        begun = time.process_time()
        data = codec.encode(array, max_error=bound)
        coded = time.process_time()
        decoded = codec.decode(data)
        ended = time.process_time()
        found = {OWN: (len(data), worst(decoded, array))}
        found |= {one.name: checked(one, array, bound) for one in codecs_for(array, bound) if one.missing() is None}
        for name, (size, error) in found.items():
            if error > bound:
                raise NumericalError(f"{name} is off by {error:g} on {sample.name}: the bound is {bound:g}")
            own = name == OWN
            yield ExactRow(
                domain=domain, picture=sample.name, codec=name, bound=bound, share=share, bytes=size, samples=array.size,
                largest_error=error, unit=sample.unit,
                encode_s=coded - begun if own else None, decode_s=ended - coded if own else None,
            )  # fmt: skip
