"""Which image priors and methods are installed, found by name without loading any: entry points of two groups.

A workflow needs to know what stands behind a name before anything runs: the module that makes the prior is code of the job, the
weight file that it reads is an input.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from sciml.runtime.errors import ConfigError
from sciml.runtime.files import digest_file
from sciml.runtime.sources import reached, source_digest

GROUP = "sciml.priors"
METHODS_GROUP = "sciml.methods"
CATALOGUE = "sciml.imaging.tasks.catalogue"


def find_methods() -> dict[str, EntryPoint]:
    """Return the entry point of every method that an installed package offers, by its name."""
    return {point.name: point for point in entry_points(group=METHODS_GROUP)}


def method_modules(module: str, names: Iterable[str] | None = None) -> list[str]:
    """Return the modules of such methods, if the given one reaches the catalogue that loads them: their code is its code.

    Args:
        module: dotted name of a stage's module.
        names: of the methods that the stage runs, where it says so; all of them by default.
    """
    points = [point for name, point in find_methods().items() if names is None or name in names]
    return sorted({point.module for point in points}) if points and CATALOGUE in reached(module) else []


def find_prior(name: str) -> tuple[EntryPoint, str]:
    """Return the entry point of a name such as `tv` or `lpn:photo-grey`, and the text behind its first colon.

    Raises:
        ConfigError: no installed package offers that name; the message lists the known ones.
    """
    kind, _, argument = name.partition(":")
    found = {point.name: point for point in entry_points(group=GROUP)}
    if kind not in found:
        raise ConfigError(f"no prior is called {kind!r}; installed: {', '.join(sorted(found)) or 'none'}")
    return found[kind], argument


def prior_sources(name: str) -> tuple[str, list[Path]]:
    """Return the module that makes a prior, and the weight files that its name stands for.

    A part of the name is a file where it is the path of one, or where a folder `weights` of a package above the module holds it:
    `lpn:photo-grey:0.05` stands for `weights/photo-grey.safetensors` of the package of `lpn`.

    Raises:
        ConfigError: no installed package offers that name.
    """
    point, argument = find_prior(name)
    module = point.module
    packages = [module.rsplit(".", depth)[0] for depth in range(1, module.count(".") + 1)]
    folders = [Path(place) / "weights" for package in packages for place in _places(package)]
    files = []
    for part in filter(None, [argument, *argument.split(":")]):
        candidates = [Path(part), *(folder / f"{part}.safetensors" for folder in folders)]
        files += [path for path in candidates if path.is_file()]
    return module, list(dict.fromkeys(files))


def prior_digests(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the digests of the code and of the weight files behind the names that have a colon, by name.

    What a stage keeps when it is stopped belongs to these too: its own code reaches no plugin.
    """
    found = {}
    for name in names:
        if ":" in name:
            module, files = prior_sources(name)
            found[name] = [source_digest(module), *map(digest_file, files)]
    return found


def _places(package: str) -> list[str]:
    spec = find_spec(package)
    return list(spec.submodule_search_locations or ()) if spec else []
