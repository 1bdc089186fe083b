"""Scans and tables as files, as they are and as they should not be."""

from __future__ import annotations

import nibabel
import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.grids import GRIDS

GRID = GRIDS["4.5mm"]


def save(path, array, affine):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


def oriented(array, affine, codes):
    image = nibabel.Nifti1Image(array, affine)
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.io_orientation(affine), nibabel.orientations.axcodes2ornt(codes)
    )
    turned = image.as_reoriented(turn)
    return np.asarray(turned.dataobj), turned.affine


def with_skull(array, affine):
    shell = ndimage.binary_dilation(array > 0, iterations=6) & (array == 0)
    return np.where(shell, 150, array).astype(np.float32), affine


HEADER = "subject,age,sex,diagnosis,image\n"


def table(tmp_path, *rows, header=HEADER):
    path = tmp_path / "scans.csv"
    path.write_text(header + "".join(f"{row}\n" for row in rows))
    return path


def rotated(array, affine, degrees=10.0):
    """The same brain in the world, stored on voxels that are turned by some degrees."""
    turn = np.eye(4)
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[:2, :2] = [[cosine, -sine], [sine, cosine]]
    new = turn @ affine
    both = np.linalg.inv(affine) @ new
    places = np.indices(array.shape).reshape(3, -1)
    values = ndimage.map_coordinates(array, both[:3, :3] @ places + both[:3, 3:], order=3, mode="constant")
    return values.reshape(array.shape).clip(0).astype(np.float32), new
