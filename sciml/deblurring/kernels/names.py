"""Kernels by name: a kind with its numbers, such as `motion:21,35`, and the same with a number changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sciml.imaging.operators.kernels import LARGEST, Kernel, camera_shake, disk, gaussian, line
from sciml.runtime.errors import ConfigError

SHAKE_SIZE = 19


@dataclass(frozen=True)
class Kind:
    """A kind of named kernel.

    Attributes:
        words: its numbers in the order in which they are written; an odd size may follow.
        make: the kernel of the numbers and of `size`, None for the kind's own.
        whole: its numbers are whole and not negative.
    """

    words: tuple[str, ...]
    make: Callable[..., Kernel]
    whole: bool = False


def _shake(seed: float, size: int | None) -> Kernel:
    return camera_shake(SHAKE_SIZE if size is None else size, np.random.default_rng(int(seed)))


def _delta(size: int | None) -> Kernel:
    kernel = np.zeros((size or 1, size or 1))
    kernel[kernel.shape[0] // 2, kernel.shape[0] // 2] = 1
    return kernel


KINDS = {
    "gaussian": Kind(("width",), gaussian),
    "motion": Kind(("length", "angle"), line),
    "disk": Kind(("radius",), disk),
    "shake": Kind(("seed",), _shake, whole=True),
    "delta": Kind((), _delta),
}
"""gaussian:WIDTH, motion:LENGTH,ANGLE, disk:RADIUS, shake:SEED, delta: pixels, degrees counter-clockwise, a seed."""


def named_kernel(text: str) -> Kernel:
    """Return the kernel of a name; its size is the kind's own (19 for a shake) unless given.

    Raises:
        ConfigError: the name is not understood, or a number is out of range.
    """
    kind, numbers, size = parse_name(text)
    return KINDS[kind].make(*numbers.values(), size=size)


def parse_name(text: str) -> tuple[str, dict[str, float], int | None]:
    """Return the kind of a named kernel, its numbers by word, and its size if it was given.

    Raises:
        ConfigError: unknown kind, not the numbers that it takes, or a size that is even or above 255.
    """
    name, _, rest = text.partition(":")
    if name not in KINDS:
        raise ConfigError(f"there is no kernel kind {name!r}: known are {', '.join(KINDS)}")
    kind = KINDS[name]
    usage = f"write {name}:{','.join(map(str.upper, (*kind.words, 'size')))}, where the odd size may be left out"
    try:
        numbers = [float(part) for part in rest.split(",")] if rest else []
    except ValueError as error:
        raise ConfigError(f"{text!r} does not name a kernel: {usage}") from error
    if not len(kind.words) <= len(numbers) <= len(kind.words) + 1 or not np.isfinite(numbers).all():
        raise ConfigError(f"{text!r} does not name a kernel: {usage}")
    own, size = numbers[: len(kind.words)], numbers[len(kind.words) :]
    if kind.whole and any(number < 0 or number % 1 for number in own):
        raise ConfigError(f"{text!r} does not name a kernel: the {kind.words[0]} of a {name} is a whole number, at least 0")
    if size and not (size[0] % 2 == 1 and 1 <= size[0] <= LARGEST):
        raise ConfigError(f"{text!r}: the size of a kernel is odd and at most {LARGEST}, got {size[0]:g}")
    return name, dict(zip(kind.words, own, strict=True)), int(size[0]) if size else None


def biased(text: str, **bias: float) -> str:
    """Return the name of the kernel whose numbers are off by the given amounts: a kernel estimated wrongly.

    Its size follows from the biased numbers, also where the given name states one, so that nothing of it is cut.

    Args:
        text: a named kernel.
        **bias: what is added, by word: `width`, `length`, `angle`, `radius`.

    Raises:
        ConfigError: the kind has no such number, or a length, width or radius is no longer above 0.

    Example:
        >>> biased("motion:20,10", length=5, angle=-30)
        'motion:25,-20'
    """
    name, numbers, _ = parse_name(text)
    if KINDS[name].whole or not bias.keys() <= numbers.keys():
        words = "none" if KINDS[name].whole else ", ".join(numbers) or "none"
        raise ConfigError(f"the kind {name} has no number to bias called {', '.join(bias)}; it has: {words}")
    values = {word: number + bias.get(word, 0) for word, number in numbers.items()}
    for word, value in values.items():
        if word != "angle" and not value > 0:
            raise ConfigError(f"a {word} of {value:g} pixels is left of {text} after its bias; it must stay above 0")
    return f"{name}:{','.join(f'{value:.12g}' for value in values.values())}"
