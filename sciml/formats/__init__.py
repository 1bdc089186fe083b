"""Files of images, volumes and fields: every reader and writer of PNG, JPEG, TIFF, NPY, DICOM, NIfTI, NetCDF and MAT.

* `read.read_image`: a picture or volume as float32 with its unit and scale (`image.Image`); `write.write_image` writes one
* `pictures.read_picture`: all bits of a picture as stored, with its colour profile; `write.write_picture` loses none of them
* `nifti.read_scan`: a volume as stored, with its place in space
* `fields.fields_of`: fields of Zarr stores, NetCDF and NPY files

All share their decoders, check what a file claims before they allocate, never run code from a file, and answer what they cannot
read with one line.

Example:
    >>> import numpy as np
    >>> from sciml.formats.read import read_image
    >>> from sciml.formats.write import write_image
    >>> write_image("ramp.png", np.linspace(0, 1, 16).reshape(4, 4))  # doctest: +SKIP
    >>> read_image("ramp.png").unit  # doctest: +SKIP
    'sRGB'
"""
