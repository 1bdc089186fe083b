"""What tasks and methods there are: names, titles, options, parameters. Light to import; the work is done elsewhere.

Methods of installed packages join by the entry-point group `sciml.methods`; see `docs/add-a-method.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sciml.imaging.plugins import find_methods
from sciml.runtime.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from sciml.imaging.operators.linear import LinearPhysics


@dataclass(frozen=True)
class TaskKind:
    """A registered kind of task: what it is, the experiment of its data, and the options with their defaults."""

    title: str
    experiment: str
    defaults: Mapping[str, Any] = field(default_factory=dict)


TASKS: dict[str, TaskKind] = {
    "denoise": TaskKind("Gaussian denoising", "imaging-photos", {"sigma": 0.1}),
    "deblur": TaskKind(
        "Deblurring, known kernel", "imaging-photos", {"kernel": "shake", "kernel_size": 19, "width": 1.6, "sigma": 0.02}
    ),
    "ct-sparse": TaskKind("Sparse-view CT", "imaging-ct", {"views": 60, "range_degrees": 180.0, "noise": 0.002}),
    "ct-limited": TaskKind("Limited-angle CT", "imaging-ct", {"views": 120, "range_degrees": 120.0, "noise": 0.002}),
    "mri-cs": TaskKind("Compressed-sensing MRI", "imaging-mri", {"acceleration": 4.0, "centre_fraction": 0.08, "noise": 0.01}),
    "inpaint": TaskKind("Inpainting of missing pixels", "imaging-photos", {"keep": 0.5, "sigma": 0.02}),
}
"""Every task by name: its title, the experiment whose pictures it is shown on, and its options with their defaults."""

WEIGHT_GRID = (0.25, 0.5, 1.0, 2.0, 4.0)
REACH = 6


def resolve_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's options with its defaults, each converted to the type of its default.

    Raises:
        ConfigError: an unknown option, or a value of the wrong type or below 0.
    """
    resolved = dict(TASKS[name].defaults)
    for key, value in options.items():
        if key not in resolved:
            raise ConfigError(f"task {name} has no option {key!r}; it takes {', '.join(resolved)}")
        resolved[key] = _converted(name, key, value, resolved[key])
    return resolved


def _converted(name: str, key: str, value: Any, default: Any) -> Any:
    try:
        converted = type(default)(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"option {key} of task {name} is a {type(default).__name__}, got {value!r}") from error
    if isinstance(converted, int | float) and (converted < 0 or not math.isfinite(converted) or converted != float(value)):
        raise ConfigError(f"option {key} of task {name} is a {type(default).__name__} that is at least 0, got {value!r}")
    return converted


@dataclass(frozen=True)
class Method:
    """A classical reconstruction method.

    Attributes:
        title: name in tables.
        tasks: names of the tasks that it applies to.
        solver: (module of solvers, y, physics, value of the parameter) -> images on the physics' grid.
        parameter: what the tuned number is; None when the method has none.
        grid: first values to try on validation data, increasing and positive; `value_at` goes on beyond.
        citation: key in `references.bib`; empty for none.
        package: an extra that must be importable; without it the row reads `not installed`.
        highest: largest value that means something.
    """

    title: str
    tasks: tuple[str, ...]
    solver: Callable[[Any, Tensor, LinearPhysics, float], Tensor]
    parameter: str | None
    grid: tuple[float, ...]
    citation: str
    package: str | None = None
    highest: float = math.inf

    def value_at(self, index: int) -> float | None:
        """Return the value of a rung: the grid, continued at its end ratios for `REACH` rungs; None beyond or above `highest`."""
        grid, last = self.grid, len(self.grid) - 1
        if not -REACH <= index <= last + REACH:
            return None
        if index < 0:
            return grid[0] * (grid[0] / grid[1]) ** -index
        if index > last:
            further = grid[last] * (grid[last] / grid[last - 1]) ** (index - last)
            return further if further <= self.highest else None
        return grid[index]


INVERSE = ("deblur", "ct-sparse", "ct-limited", "mri-cs", "inpaint")

BUILT_IN: dict[str, Method] = {
    "zero-filled": Method("zero-filled", ("mri-cs", "inpaint"), lambda s, y, p, _: s.zero_filled(y, p), None, (), "lustig2007"),
    "fbp": Method("FBP (ramp)", ("ct-sparse", "ct-limited"), lambda s, y, p, _: s.fbp(y, p), None, (), "kak1988"),
    "fbp-hann": Method(
        "FBP (Hann)",
        ("ct-sparse", "ct-limited"),
        lambda s, y, p, value: s.fbp(y, p, min(value, 1.0), "hann"),
        "cutoff, fraction of Nyquist",
        (0.25, 0.35, 0.5, 0.7, 1.0),
        "kak1988",
        highest=1.0,
    ),
    "wiener": Method(
        "Wiener",
        ("deblur",),
        lambda s, y, p, value: s.wiener(y, p, value),
        "balance of the Laplacian penalty",
        (1e-3, 1e-2, 0.1, 1.0, 10.0),
        "wiener1949",
    ),
    "richardson-lucy": Method(
        "Richardson-Lucy",
        ("deblur",),
        lambda s, y, p, value: s.richardson_lucy(y, p, value),
        "iterations",
        (2.0, 4.0, 8.0, 16.0, 32.0),
        "richardson1972",
    ),
    "nlm": Method(
        "non-local means",
        ("denoise",),
        lambda s, y, p, value: s.non_local_means(y, p, value),
        "h / sigma",
        (0.4, 0.5, 0.6, 0.75, 0.9, 1.1),
        "buades2005",
    ),
    "wavelet-l1": Method(
        "wavelet l1",
        ("denoise", *INVERSE),
        lambda s, y, p, value: s.wavelet_l1(y, p, value * s.noise_weight(y, p)),
        "weight / (sigma x column norm)",
        (0.5, 1.0, 2.0, 4.0),
        "donoho1995",
    ),
    "tv": Method(
        "total variation",
        ("denoise", *INVERSE),
        lambda s, y, p, value: s.tv(y, p, value * s.noise_weight(y, p)),
        "weight / (sigma x column norm)",
        WEIGHT_GRID,
        "rudin1992",
    ),
    "bm3d": Method(
        "BM3D", ("denoise",), lambda s, y, p, value: s.bm3d(y, p, value), "strength", (0.9, 1.0, 1.1), "dabov2007", "bm3d"
    ),
}


class Methods(Mapping[str, Method]):
    """All methods by name, in table order: the built-in ones, then those of the entry-point group `sciml.methods`."""

    @cached_property
    def _all(self) -> dict[str, Method]:
        found = dict(BUILT_IN)
        for name, point in sorted(find_methods().items()):
            method = point.load()
            if not isinstance(method, Method) or name in BUILT_IN or not {*method.tasks} <= TASKS.keys():
                raise ConfigError(f"the method {name} of {point.value} is no `Method` for known tasks under a name of its own")
            found[name] = method
        return found

    def __getitem__(self, name: str) -> Method:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


METHODS = Methods()
"""Every method by name, in table order, those of a user's own included."""


def methods_for(task_name: str) -> list[str]:
    """Return the names of the methods that apply to a task, in table order."""
    return [name for name, method in METHODS.items() if task_name in method.tasks]


def check_methods(task_name: str, names: tuple[str, ...] | None) -> None:
    """Raise ConfigError where a named method is unknown or does not apply to the task."""
    applicable = methods_for(task_name)
    for name in names or ():
        if name not in applicable:
            raise ConfigError(f"method {name!r} does not apply to {task_name}; those that do: {', '.join(applicable)}")


def chosen(task_name: str, names: tuple[str, ...] | None) -> list[str]:
    """Return the methods to run on a task: those named, or all that apply; extras that are not installed are left out.

    Raises:
        ConfigError: a named method is unknown or does not apply to the task.
    """
    check_methods(task_name, names)
    return [name for name in (names or methods_for(task_name)) if is_installed(METHODS[name])]


def is_installed(method: Method) -> bool:
    """Return whether the extra package of a method, if it needs one, can be imported."""
    return method.package is None or find_spec(method.package) is not None
