"""The `.nic` file: header, layout, checked payloads, alpha.

`read_container` and `write_container`, with `Header` and `layer_table`, are what a reader of one's own is compared with.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sciml.compression.container.file import read_container, write_container
    from sciml.compression.container.header import Header
    from sciml.compression.container.layout import layer_table

_HOMES = {"Header": "header", "layer_table": "layout", "read_container": "file", "write_container": "file"}
__all__ = ["Header", "layer_table", "read_container", "write_container"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
