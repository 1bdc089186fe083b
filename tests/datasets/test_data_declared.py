"""The tracked lists agree with each other, and what is fetched loads with its meaning."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from sciml.datasets.cards import attribution, card
from sciml.datasets.loaders import digit_labels, load, load_photo, window_hu
from sciml.datasets.manifest import TIERS, is_present, packages, records, tier_ids, tracked
from sciml.formats.image import srgb_to_linear
from sciml.runtime.errors import ConfigError, ShapeError
from sciml.runtime.places import resource


def test_rows_are_complete():
    rows = list(tracked().values())
    assert len(rows) == len({row.id for row in rows}) == 117
    for row in rows:
        assert re.fullmatch(r"(tree:)?[0-9a-f]{64}", row.sha256) and row.bytes > 0
        assert row.licence and row.citation and row.role and row.path and row.package in packages()
        assert row.source == packages()[row.package].kind and row.version == packages()[row.package].version
        assert not row.path.startswith("/") and ".." not in row.path
    assert {package.tier for package in packages().values()} == set(TIERS)
    assert set(tier_ids("ci")) < set(tier_ids("default")) < set(tier_ids("full"))


def test_every_citation_is_in_the_references():
    keys = re.findall(r"@\w+\{([^,]+),", resource("references.bib").read_text(encoding="utf-8"))
    assert len(keys) == len(set(keys))
    assert {row.citation for row in tracked().values()} | {package.citation for package in packages().values()} <= set(keys)


def test_attribution_is_up_to_date():
    assert resource("data", "ATTRIBUTION.md").read_text(encoding="utf-8") == attribution(), "run `sciml data attribution`"


def test_imports_are_cheap():
    code = "import sciml.datasets, sciml.datasets.cli, sciml.formats.image, sys; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in ("numpy", "PIL", "pydicom", "nibabel", "torch", "jax", "yaml"):
        assert f"'{name}'" not in loaded


LARGE = [name for name in tier_ids("full") if tracked()[name].bytes > 3e6 or tracked()[name].path.endswith(".jpg")]
QUICK = [name for name in tier_ids("ci") if name not in LARGE or name in ("rocket", "perched-osprey")]
REST = [pytest.param(name, marks=pytest.mark.slow) for name in tier_ids("full") if name not in QUICK]


@pytest.mark.parametrize("name", [*QUICK, *REST])
def test_every_data_set_loads(name, fetched):
    if tracked()[name].tier != "ci" and not is_present(tracked()[name]):
        pytest.skip(f"{name} is in the data tier {tracked()[name].tier}, which is not fetched")
    fetched(name)
    row, image = tracked()[name], load(name)
    assert image.array.dtype == np.float32 and np.isfinite(image.array).all() and image.name == name
    assert image.axes in ("HW", "HWC", "DHW") and image.array.ndim == len(image.axes)
    declared = sorted(int(size) for size in re.findall(r"\d+", row.shape.rpartition("=")[2]))
    reduction = 2 if row.path.endswith(".jpg") else 1
    assert sorted(image.array.shape) == sorted(size // reduction if size > 4 else size for size in declared)
    low, high = image.value_range
    assert low <= image.array.min() and image.array.max() <= high


def test_ct_is_in_hounsfield_units_and_right_way_up(fetched):
    fetched("ct_cranium")
    volume = load("ct_cranium")
    assert volume.unit == "HU" and volume.voxel_size_mm == pytest.approx((1.5, 0.957, 0.957), abs=1e-3)
    assert abs(np.median(volume.array[:, :10, :10]) + 1000) < 40, "air around the head"
    table = (volume.array[20:80, -30:] > -800).mean(), (volume.array[20:80, :30] > -800).mean()
    assert table[0] > table[1], "the table is below the head, so the last rows are the back"
    middle = volume.array[:, 100:156, 100:156]
    assert (middle[:30] < -500).mean() > (middle[-30:-10] < -500).mean(), "airways are near the feet end"
    piece = load("ct_cranium[40:60]")
    assert np.array_equal(piece.array, volume.array[40:60])
    with pytest.raises(ConfigError, match="108 entries"):
        load("ct_cranium[100:109]")


def test_mr_carries_its_affine(fetched):
    fetched("mni2009a_t1")
    volume = load("mni2009a_t1")
    assert volume.array.shape == (189, 233, 197)
    # the stored affine has its origin at (-98, -134, -72) for voxel (0, 0, 0) in right-anterior-superior axes
    assert volume.affine @ [0, 232, 196, 1] == pytest.approx([-98, -134, -72, 1])
    piece = load("mni2009a_t1[10:20]")
    assert piece.affine @ [0, 0, 0, 1] == pytest.approx(volume.affine @ [10, 0, 0, 1])


def test_digits_have_labels(fetched):
    fetched("digits8")
    labels = digit_labels("digits8[0:1400]")
    digits = load("digits8[0:1400]")
    assert digits.array.shape == (1400, 8, 8) and labels.shape == (1400,) and set(labels) == set(range(10))
    assert labels[:10].tolist() == list(range(10))
    with pytest.raises(ConfigError, match="no labels"):
        digit_labels("kodim23")


def test_jpeg_sources_must_be_reduced(fetched):
    fetched("rocket", "camera", "coffee")
    with pytest.raises(ConfigError, match="JPEG needs at least 2"):
        load_photo("rocket", reduction=1)
    with pytest.raises(ConfigError, match="whole number"):
        load_photo("coffee", reduction=1.5)  # type: ignore[arg-type]
    plain, light = load_photo("coffee", reduction=1), load_photo("coffee", reduction=1, linear=True)
    assert light.unit == "linear" and np.allclose(srgb_to_linear(plain.array), light.array, atol=1e-6)
    half = load_photo("coffee", reduction=2, linear=True).array
    assert half == pytest.approx(light.array.reshape(200, 2, 300, 2, 3).mean(axis=(1, 3)), abs=1e-6)
    assert load_photo("coffee", 1, grey=True).array == pytest.approx(plain.array @ np.array([0.2126, 0.7152, 0.0722]), abs=1e-6)
    assert load_photo("camera", 1, grey=True).axes == "HW"


def test_window():
    assert window_hu(np.array([-2000.0, -1000, 0, 500, 1000, 4000])).tolist() == [0, 0, 0.5, 0.75, 1, 1]
    assert window_hu(np.array([40.0]), -160, 240).tolist() == [0.5]
    with pytest.raises(ShapeError, match="empty"):
        window_hu(np.zeros(2), 10, 10)


def test_card_has_thumbnails(fetched):
    import io

    import PIL.Image

    fetched("camera", "ct_cranium", "digits8")
    for entry in card(["camera", "ct_cranium", "digits8[0:40]"]):
        picture = PIL.Image.open(io.BytesIO(entry["thumbnail"]))
        assert max(picture.size) <= 128 and np.asarray(picture).std() > 10
        assert entry["licence"] and entry["package"] and entry["citation"]


def test_card_of_absent_data_has_no_thumbnail(tmp_path, monkeypatch):
    monkeypatch.setenv("SCIML_CACHE", str(tmp_path))
    assert card(["camera"])[0]["thumbnail"] is None
    assert not any(is_present(row) for row in records().values())
