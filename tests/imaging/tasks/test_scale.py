"""The scale of a file's values: what its range is, the map to [0, 1] and back, and which files can hold the result."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sciml.formats.image import Image
from sciml.formats.read import read_image
from sciml.imaging.tasks.scale import Origin, check_output, range_of, range_of_noisy, to_batch, write_batch
from sciml.runtime.errors import ConfigError, DataError, ShapeError


def picture(low: float, high: float, unit: str = "arbitrary", value_range: tuple[float, float] | None = None) -> Image:
    return Image(np.float32([[low, high], [high, low]]), "HW", value_range or (low, high), unit, "p")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (picture(0.2, 0.8, value_range=(0, 1)), (0, 1)),
        (picture(30, 900), (0, 900)),
        (picture(-5, 900), (-5, 900)),
        (picture(-9, -2), (-9, -2)),
        (picture(-1024, 3000, "HU"), (-1000, 1000)),
    ],
)
def test_the_range_of_a_true_picture(image, expected):
    assert range_of(image) == expected
    assert range_of(image, (2, 3)) == (2, 3)


@pytest.mark.parametrize(("low", "high", "good"), [(-0.5, 1.5, True), (-0.51, 1, False), (0, 1.51, False), (0, 255, False)])
def test_a_noisy_picture_is_never_stretched(low, high, good):
    if good:
        assert range_of_noisy(picture(low, high)) == (0, 1)
    else:
        with pytest.raises(ConfigError, match=r"p has values from .* say with --range LOW HIGH"):
            range_of_noisy(picture(low, high))
    assert range_of_noisy(picture(low, high), (-7, 8)) == (-7, 8)


@pytest.mark.parametrize("ends", [(1, 1), (2, 1), (0, float("inf")), (float("nan"), 1)])
def test_a_range_has_two_ends_in_order(ends):
    for function in (range_of, range_of_noisy):
        with pytest.raises(ConfigError, match="two finite numbers, the lower one first"):
            function(picture(0, 1), ends)


def test_values_beyond_the_range_are_cut_only_when_asked():
    image = picture(-1, 5)
    assert to_batch(image, (1, 3)).flatten().tolist() == [-1, 2, 2, -1]
    assert to_batch(image, (1, 3), clip=True).flatten().tolist() == [0, 1, 1, 0]


@given(st.sampled_from(["HW", "HWC", "DHW"]), st.floats(-2000, 100), st.floats(1, 5000))
def test_the_map_is_inverted_on_the_way_out(tmp_path_factory, axes, low, width):
    shape = {"HW": (18, 17), "HWC": (18, 17, 3), "DHW": (5, 18, 17)}[axes]
    array = np.float32(low + width * np.random.default_rng(0).uniform(-0.3, 1.3, shape))
    image = Image(array, axes, (low, low + width), "arbitrary", "p")
    origin = Origin.of(image, (low, low + width))
    batch = to_batch(image, origin.value_range)
    assert batch.shape == ({"HW": 1, "HWC": 3, "DHW": 5}[axes], 1, 18, 17)
    path = tmp_path_factory.mktemp("out") / "a.npy"
    write_batch(path, batch, Origin.from_record(json.loads(json.dumps(origin.record())), len(batch)))
    assert np.allclose(np.load(path), array, atol=1e-6 * (abs(low) + width))


def test_the_record_keeps_everything():
    origin = Origin("DHW", (0.0, 3.0), 16, np.diag([1.0, 2, 3, 1]), (1.0, 2.0, 3.0))
    back = Origin.from_record(json.loads(json.dumps(origin.record())), 7)
    assert (back.axes, back.value_range, back.bits, back.voxel_size_mm) == ("DHW", (0, 3), 16, (1, 2, 3))
    assert np.array_equal(back.affine, origin.affine)
    for change, count in (({"axes": "HW"}, 7), ({"axes": "HWC"}, 7), ({"axes": "XY"}, 7), ({"value_range": [3, 3]}, 7)):
        with pytest.raises((KeyError, ValueError)):
            Origin.from_record(origin.record() | change, count)


def test_what_can_be_written_is_known_before(tmp_path):
    for name, axes, count in (
        ("a.png", "HWC", 3),
        ("a.PNG", "DHW", 1),
        ("a.nii", "HW", 1),
        ("a.nii.gz", "DHW", 4),
        ("a.tiff", "HWC", 3),
    ):
        check_output(tmp_path / name, axes, count)
        write_batch(tmp_path / name, torch.rand(count, 1, 18, 17), Origin(axes, (0.0, 1.0)))
        assert read_image(tmp_path / name).array.size == count * 18 * 17
    for name, axes, count, error in (
        ("b.png", "DHW", 2, ShapeError),
        ("b.nii", "HWC", 3, ShapeError),
        ("b.gz", "HW", 1, DataError),
        (".", "HW", 1, DataError),
    ):
        with pytest.raises(error):
            check_output(tmp_path / name, axes, count)
        with pytest.raises(error):
            write_batch(tmp_path / name, torch.rand(count, 1, 18, 17), Origin(axes, (0.0, 1.0)))
    assert not list(Path(tmp_path).glob("b*"))


@pytest.mark.parametrize(
    ("bits", "axes", "kind"), [(16, "HW", np.uint16), (8, "HW", np.uint8), (None, "HW", np.uint8), (16, "HWC", np.uint8)]
)
def test_a_png_has_the_bits_of_its_origin(tmp_path, bits, axes, kind):
    import PIL.Image

    write_batch(tmp_path / "a.png", torch.rand(3 if axes == "HWC" else 1, 1, 18, 17), Origin(axes, (-5.0, 9.0), bits))
    stored = np.asarray(PIL.Image.open(tmp_path / "a.png"))
    assert stored.max() > 0.9 * np.iinfo(kind).max and stored.max() <= np.iinfo(kind).max
