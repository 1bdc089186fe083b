"""The `.nic` file: header, layout, checked payloads, alpha.

`read_container` and `write_container`, with `Header` and `layer_table`, are what a reader of one's own is compared with.
"""

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

if TYPE_CHECKING:
    from sciml.compression.container.file import read_container, write_container
    from sciml.compression.container.header import Header
    from sciml.compression.container.layout import layer_table

_HOMES = {"Header": "header", "layer_table": "layout", "read_container": "file", "write_container": "file"}
__all__ = ["Header", "layer_table", "read_container", "write_container"]


__getattr__ = handed_out(__name__, _HOMES)
