"""Classical reconstruction on real photographs, CT and MR: the study and the command `sciml imaging`.

The mathematics is in `sciml.imaging`; here a file is measured, reconstructed and scored by the names of task and method.

Example:
    >>> from pathlib import Path
    >>> from sciml.classical import measure_file, solve_file
    >>> measure_file(Path("scan.nii.gz"), "ct-sparse", Path("scan.safetensors"), ["views=60"], None, 0)  # doctest: +SKIP
    >>> solve_file(Path("scan.safetensors"), Path("scan.png"), "tv", None, None, [], None, 0)  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sciml.classical.commands.single import measure_file, reconstruct, score_files, solve_file

__all__ = ["measure_file", "reconstruct", "score_files", "solve_file"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"{__name__}.commands.single"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
