"""What other packages each part of the workbench needs, and what to do where one is absent.

The core and the extras of the distribution by the names that are imported; `pyproject.toml` has the same by the names that are
installed, and `tests/distribution` holds both equal to what the modules import.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from sciml.runtime.errors import ConfigError

DISTRIBUTION = "sciml-workbench"
CORE = (
    *("PIL", "altair", "jaxtyping", "jinja2", "markupsafe", "matplotlib", "nibabel", "numpy", "pillow_jxl", "pydantic"),
    *("pydicom", "rich", "safetensors", "scipy", "tifffile", "typer", "xarray", "yaml"),
)
EXTRAS = {
    "imaging": ("pywt", "skimage", "torch"),
    "proximal": ("pywt", "skimage", "torch"),
    "deblurring": ("pywt", "skimage", "torch"),
    "active-fluid": ("equinox", "google_crc32c", "jax", "jax_cfd", "optax", "zarr"),
    "compression": ("bjontegaard", "constriction", "pytorch_msssim", "torch"),
    "progression": ("monai", "skimage", "torch"),
    "matrix": ("bjontegaard", "pytorch_msssim", "pywt", "skimage", "torch"),
    "scan-to-forecast": ("constriction", "monai", "pywt", "skimage", "torch"),
    "flow-from-images": ("constriction", "equinox", "google_crc32c", "jax", "pywt", "skimage", "torch", "zarr"),
    "deepinv": ("deepinv",),
    "workflow": ("snakemake",),
    "compare": ("pillow_heif",),
    "nonfree": ("bm3d",),
}
"""Modules by extra; that of a family has its name as a command."""


class MissingPackage(ConfigError, ImportError):
    """A package that an extra brings is not installed."""


def absent(extra: str) -> list[str]:
    """Return the modules of an extra that are not installed; none is loaded, and a name that is no extra has none."""
    return [module for module in EXTRAS.get(extra, ()) if find_spec(module) is None]


def remedy(extra: str) -> str:
    """Return the command that installs an extra; it needs no index for the workbench itself, which is there."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def explained(error: ModuleNotFoundError, wanted: str = "") -> ImportError:
    """Return the error that names the extra which brings a module; the error itself where none does.

    Args:
        error: of the import.
        wanted: the extra of what was asked for, preferred where several bring the module.
    """
    module = (error.name or "").partition(".")[0]
    extras = [extra for extra, modules in EXTRAS.items() if module in modules]
    if not extras:
        return error
    extra = wanted if wanted in extras else extras[0] if len(extras) == 1 else "all"
    return _missing(extra, absent(extra) or [module])


def refuse_absent(extra: str) -> None:
    """Refuse to begin where packages of an extra are not installed.

    Raises:
        MissingPackage: the message names them and the extra.
    """
    if modules := absent(extra):
        raise _missing(extra, modules)


def _missing(extra: str, modules: list[str]) -> MissingPackage:
    verb = "is" if len(modules) == 1 else "are"
    return MissingPackage(f"{', '.join(modules)} {verb} not installed: {remedy(extra)}")


def attribute(module: str, name: str) -> Any:
    """Return what a package hands out by this name, from the module that is loaded now.

    Raises:
        MissingPackage: the module needs a package that is not installed.
    """
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        parts = module.split(".")
        package = parts[2 if parts[1] == "studies" else 1].replace("_", "-")
        raise explained(error, "imaging" if package == "classical" else package) from None


def handed_out(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package that loads what it hands out when it is asked for.

    Args:
        package: its name.
        homes: module of each name, below the package, or with the whole name from `sciml` on.
    """

    def found(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        return attribute(home if home.startswith("sciml.") else f"{package}.{home}", name)

    return found


def wanted_extra() -> str:
    """Return the extra of the family that the command line of this process names; empty where it names none."""
    return next((word for word in (one.replace("_", "-") for one in sys.argv[1:3]) if word in EXTRAS), "")
