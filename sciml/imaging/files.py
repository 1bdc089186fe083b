"""The former place of the readers and writers that are in `sciml.formats` now; programs that import them from here go on."""

from sciml.formats.image import Image
from sciml.formats.read import read_image
from sciml.formats.write import write_image

__all__ = ["Image", "read_image", "write_image"]
