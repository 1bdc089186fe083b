"""One model, many rates: from a quality, a file size or an error to a quantiser step."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TypeVar

from sciml.compression.coding.model import STEP_CODES, step_code
from sciml.runtime.errors import ConfigError

# steps of quality 1 and quality 100, in units of the model's span
COARSEST, FINEST = 1.0, 0.04
LOWEST, HIGHEST = 1, 100
# a wanted size is met from below within this share, if steps are fine enough
TOLERANCE = 0.005
MOST_TRIALS = 14
# drafts end this near to the target, or after so many
NEAR, MOST_DRAFTS = 0.015, 6
# of the logarithm of a size by step code, and the least by what is expected
USUAL_SLOPE = 1.3 * math.log(2) / STEP_CODES
LEAST_SLOPE = 1 / 8

Trial = TypeVar("Trial")


def finest_step(steps: Sequence[float]) -> float:
    """Return the step of quality 100: two thirds of the finest that a model knows, at least as fine as for photographs."""
    return min(FINEST, steps[-1] * 2 / 3)


def quality_code(quality: float, finest: float = FINEST) -> int:
    """Return the step code of a quality: steps are evenly spaced on a logarithmic scale.

    Args:
        quality: 1 to 100.
        finest: step of quality 100.

    Raises:
        ConfigError: a quality outside 1 to 100.
    """
    if not LOWEST <= quality <= HIGHEST:
        raise ConfigError(f"quality {quality:g} is outside {LOWEST} (smallest file) to {HIGHEST} (nearest to the original)")
    share = (quality - LOWEST) / (HIGHEST - LOWEST)
    return step_code(COARSEST * (finest / COARSEST) ** share)


def search(
    encode: Callable[[int], Trial],
    measure: Callable[[Trial], float],
    target: float,
    what: str,
    at_most: bool,
    unit: Callable[[float], float] = float,
    finest: float = FINEST,
    draft: Callable[[int], Trial] | None = None,
    expected: Callable[[int], float] | None = None,
) -> Trial:
    """Return the trial whose measure is nearest to a target from the allowed side.

    The logarithm of the measure is taken as a straight line over what is expected of it: every trial is where the line through
    the last two meets the target (the first slope is 1), within what is still possible.

    Args:
        encode: step code to trial.
        measure: measure of a trial; positive.
        target: wanted.
        what: the measure in words, for messages: `"bytes"`.
        at_most: True: the largest measure up to the target; False: the smallest from the target on.
        unit: turns a measure into what `what` names, for messages.
        finest: the finest step that is tried.
        draft: a cheaper `encode` of nearly the same measure, which goes ahead until it is near the target.
        expected: rough logarithm of the measure by step code, rising; by default that of a size that grows as step^-1.3 and meets
            the target in the middle.

    Raises:
        ConfigError: the target is no positive number, or it is out of reach for this picture; the message names what is within.
    """
    if not (math.isfinite(target) and target > 0):
        raise ConfigError(f"{unit(target):g} {what} were asked for: expected a finite number above 0")
    low, high = step_code(COARSEST), step_code(finest)
    wanted = math.log(target)
    expected = expected or (lambda code: wanted + USUAL_SLOPE * (code - (low + high) // 2))

    def code_for(logarithm: float, least: int, most: int) -> int:
        """Return the code between two others, or at an end, of which nearly this is expected."""
        code = bisect_left(range(low, high), logarithm, key=expected) + low
        if code > low and logarithm - expected(code - 1) < expected(code) - logarithm:
            code -= 1
        return min(max(code, least + 1, low), most - 1, high)

    best: Trial | None = None
    trying, least, most = draft or encode, low - 1, high + 1
    slope, last = 1.0, None
    code = code_for(wanted, least, most)
    for number in range(MOST_TRIALS):
        trial = trying(code)
        value = measure(trial)
        if trying is encode and ((value <= target) == at_most or value == target):
            best = trial
            if abs(value - target) <= TOLERANCE * target:
                break
        if value > target or (value == target and not at_most):
            most = code
        else:
            least = code
        ended = most - least <= 1 or (least, most) in ((high, high + 1), (low - 1, low))
        if ended and trying is encode:
            break
        found, distance = math.log(value), wanted - math.log(value)
        if last is not None and last[0] != code:
            slope = max((found - last[1]) / (expected(code) - expected(last[0])), LEAST_SLOPE)
        last = (code, found)
        # aim at the middle of what is allowed, so that one more trial is often enough
        aim = distance + (-TOLERANCE / 2 if at_most else TOLERANCE / 2)
        if trying is draft and (ended or abs(distance) <= NEAR or number + 1 == MOST_DRAFTS):
            # the passes make files a little smaller: aim at the target itself
            trying, least, most, last, aim = encode, low - 1, high + 1, None, distance
        code = code_for(expected(code) + aim / slope, least, most)
    if best is None:
        ends = sorted(measure(encode(end)) for end in (low, high))
        raise ConfigError(
            f"{unit(target):.6g} {what} cannot be reached for this picture: "
            f"this model gives {unit(ends[0]):.6g} to {unit(ends[1]):.6g}"
        )
    return best
