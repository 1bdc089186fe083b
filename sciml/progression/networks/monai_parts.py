"""MONAI, loaded without what MONAI loads beside it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# MONAI imports all of itself, and with it whatever of these is installed: two thirds of its time, and no network needs them
UNUSED = ("matplotlib", "pandas", "scipy.signal", "skimage", "torchvision")


@contextmanager
def monai_alone() -> Iterator[None]:
    """Keep packages that MONAI uses only where they are installed out of its sight while it is imported.

    MONAI does without them for the rest of the process, unless they or MONAI were loaded before: a program that needs MONAI's
    transforms too imports monai first.

    Example:
        with monai_alone():
            from monai.networks.nets.autoencoderkl import AutoencoderKL
    """
    hidden = [] if "monai" in sys.modules else [package for package in UNUSED if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for package in hidden:
            sys.modules.pop(package, None)
