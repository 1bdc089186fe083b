"""Files of images, volumes and fields: every reader and writer of PNG, JPEG, TIFF, NPY, DICOM, NIfTI, Zarr and NetCDF."""
