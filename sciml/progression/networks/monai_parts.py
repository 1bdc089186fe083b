"""Classes of MONAI, loaded without what MONAI loads beside them."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

# MONAI imports all of itself, and with it whatever of these is installed: two thirds of its time, and no network needs them
UNUSED = ("matplotlib", "pandas", "scipy.signal", "skimage", "torchvision")


def monai_class(module: str, name: str) -> Any:
    """Return a class of MONAI.

    Packages that MONAI uses only where they are installed are out of its sight, for the rest of the process, unless they or MONAI
    were loaded before: a program that needs MONAI's transforms too imports monai first.

    Args:
        module: path below `monai`, such as `networks.nets.autoencoderkl`.
        name: of the class.
    """
    hidden = [] if "monai" in sys.modules else [package for package in UNUSED if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        return getattr(import_module(f"monai.{module}"), name)
    finally:
        for package in hidden:
            sys.modules.pop(package, None)
