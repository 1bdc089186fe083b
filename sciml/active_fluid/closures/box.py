"""Ranges of the parameters that a closure was trained in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sciml.active_fluid.fields.parameters import Parameters
from sciml.runtime.errors import FormatError

# (name, least, largest) of each parameter
Box = tuple[tuple[str, float, float], ...]
# parameters of the trainings whose files name alpha and zeta alone
UNNAMED = {"beta": 0.8, "d_t": 0.05, "d_r": 0.05}


def outside(closure: str, box: Box, parameters: Parameters) -> list[str]:
    """Return a sentence for each parameter out of the range that a closure was trained in.

    Strain, vorticity and alignment enter in units of 4 d_r, so that a run whose alpha, zeta, d_t and d_r are all multiplied
    by s is the same run s times as fast. Rates are therefore compared as they are in units of time in which d_r is in its
    range. The length is in no box: a rule of one place does not know it, and together with d_t it sets but one number,
    length / sqrt(d_t / d_r).
    """
    numbers = parameters.as_dict()
    ranges = {name: (low, high) for name, low, high in box}
    low, high = ranges.get("d_r", (0.0, np.inf))
    d_r = min(max(numbers["d_r"], low), high)
    scale = d_r / numbers["d_r"]
    found = []
    for name, (low, high) in ranges.items():
        value = numbers[name] if name == "beta" else scale * numbers[name]
        if not low - 1e-9 <= value <= high + 1e-9:
            unit = f", or {value:g} in units of time in which d_r is {d_r:g}," if value != numbers[name] else ""
            span = f"{low:g} to {high:g}" if low < high else f"{low:g}"
            found.append(f"{name} = {numbers[name]:g}{unit} is outside {span}, where the closure {closure!r} was trained")
    return found


def box_of(notes: dict[str, Any], path: Path) -> Box:
    """Return the box in the notes of a weight file, in the order of the parameters.

    Raises:
        FormatError: it cannot be read.
    """
    try:
        ranges = {str(key): (float(low), float(high)) for key, (low, high) in notes.get("box", {}).items()}
        if ranges.keys() == {"alpha", "zeta"}:
            ranges |= {name: (value, value) for name, value in UNNAMED.items()}
        names = list(Parameters.__dataclass_fields__)
        return tuple((name, *ranges[name]) for name in sorted(ranges, key=names.index))
    except (TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{path}: the box of its parameters cannot be read") from error
