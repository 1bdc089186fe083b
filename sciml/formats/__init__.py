"""Files of images, volumes and fields: every reader and writer of PNG, JPEG, TIFF, NPY, DICOM, NIfTI, Zarr, NetCDF and MAT.

`read_image` gives a picture or volume as float32 with its unit and scale, `read_picture` all bits of a picture as stored,
`read_scan` a volume as stored with its place in space. All share their decoders, check what a file claims before they
allocate, never run code from a file, and answer what they cannot read with one line.

Example:
    >>> import numpy as np
    >>> from sciml.formats import read_image, write_image
    >>> write_image("ramp.png", np.linspace(0, 1, 16).reshape(4, 4))  # doctest: +SKIP
    >>> read_image("ramp.png").unit  # doctest: +SKIP
    'sRGB'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sciml.formats.fields import FieldPicture, fields_of, open_dataset
    from sciml.formats.image import Image
    from sciml.formats.nifti import Scan, read_scan
    from sciml.formats.pictures import PictureFile, read_picture
    from sciml.formats.read import read_image
    from sciml.formats.write import write_image, write_picture

_HOMES = {
    "fields": ("FieldPicture", "fields_of", "open_dataset"),
    "image": ("Image",),
    "nifti": ("Scan", "read_scan"),
    "pictures": ("PictureFile", "read_picture"),
    "read": ("read_image",),
    "write": ("write_image", "write_picture"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "FieldPicture",
    "Image",
    "PictureFile",
    "Scan",
    "fields_of",
    "open_dataset",
    "read_image",
    "read_picture",
    "read_scan",
    "write_image",
    "write_picture",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
