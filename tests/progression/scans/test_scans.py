"""A user's images: orientation, resampling, checks, and every bad input with its answer."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from scan_files import GRID, oriented, rotated, save, with_skull

from sciml.datasets import local_path
from sciml.formats.nifti import Scan, read_scan
from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.scans.examination import SIDES, _length, examine, flat_faces, place
from sciml.progression.scans.native import at_voxels_of
from sciml.progression.scans.reference import mni_reference
from sciml.progression.scans.registration import affine_of, register_affine
from sciml.progression.scans.resampling import labels_on_grid, on_grid
from sciml.runtime.errors import DataError, FormatError


def psnr(one, other):
    return -10 * np.log10(np.mean((one - other) ** 2))


@pytest.mark.parametrize("codes", ["LPI", "AIL", *(pytest.param(code, marks=pytest.mark.slow) for code in ("LAS", "PSR"))])
def test_orientation_changes_nothing(brain, tmp_path, codes):
    scan = read_scan(save(tmp_path / "a.nii.gz", *brain))
    other = read_scan(save(tmp_path / "b.nii.gz", *oriented(*brain, codes)))
    assert nibabel.aff2axcodes(other.affine) == tuple(codes)
    one, two = place(scan, GRID), place(other, GRID)
    np.testing.assert_allclose(two.image, one.image, atol=1e-4)
    # back in its own voxels, the marker is where it was: left stays left
    back = at_voxels_of(one.image[None], GRID, other.affine, other.array.shape)[0]
    darkest = other.affine @ [*np.unravel_index(np.argmin(np.where(other.array == 20, back, 9)), back.shape), 1]
    assert np.linalg.norm(darkest[:3] - (30, 20, 25)) < 9
    mirrored = place(Scan(scan.array[::-1], scan.affine, scan.path), GRID)
    assert np.abs(mirrored.image - one.image).max() > 0.3


def test_turned_voxels_give_the_same_image(brain, tmp_path):
    one = place(read_scan(save(tmp_path / "a.nii.gz", *brain)), GRID)
    two = place(read_scan(save(tmp_path / "b.nii.gz", *rotated(*brain))), GRID)
    assert psnr(one.image, two.image) > 35


def test_means_over_voxels_keep_amounts(brain):
    array, affine = brain
    scan = Scan(array, affine, None)  # type: ignore[arg-type]
    coarse, fine = (on_grid(scan, GRIDS[name]) for name in ("4.5mm", "1.5mm"))
    assert coarse.sum() * GRID.voxel_ml == pytest.approx(fine.sum() * GRIDS["1.5mm"].voxel_ml, rel=1e-3)
    codes = (array > 100).astype(np.int32)
    share = labels_on_grid(Scan(codes, affine, None), [(1,)], GRID)[0]  # type: ignore[arg-type]
    assert share.sum() * GRID.voxel_ml == pytest.approx(codes.sum() * 0.027, rel=0.02)
    assert share.max() <= 1


def test_a_good_image_is_good(image):
    scan = read_scan(image)
    findings = examine(scan, place(scan, GRID), GRID, mni_reference(GRID))
    # 3 mm voxels are coarse, nothing else is unusual
    assert [finding.code for finding in findings] == ["voxels"]


def shifted(array, affine):
    moved = affine.copy()
    moved[2, 3] += 30
    return array, moved


def small(array, affine):
    return array, np.diag([0.6, 0.6, 0.6, 1.0]) @ affine


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (with_skull, "skull", "HD-BET, SynthStrip"),
        (shifted, "space", "--register affine"),
        (small, "space", "the brain measures"),
        (lambda array, affine: (np.where(array > 0, 260 - array, 0), affine), "contrast", "looks like T2"),
        (lambda array, affine: (array[:, ::-1].copy(), affine), "space", "correlation with the template"),
    ],
)
def test_what_is_wrong_is_named(brain, tmp_path, change, code, words):
    scan = read_scan(save(tmp_path / "a.nii.gz", *change(*brain)))
    errors = [one for one in examine(scan, place(scan, GRID), GRID, mni_reference(GRID)) if one.level == "error"]
    assert any(one.code == code and words in one.text for one in errors), errors


def test_a_few_voxels_of_a_rim_do_not_make_a_brain_longer():
    mask = np.zeros((30, 80, 30), bool)
    mask[5:25, 10:70, 5:25] = True
    assert [_length(mask, axis) for axis in range(3)] == [20, 60, 20]
    mask[15, 70:74, 15] = True
    assert _length(mask, 1) == 60
    mask[5:25, 70:74, 5:25] = True
    assert _length(mask, 1) == 64


def cut(scan, axis, end, slices):
    """The same brain with its last slices along an axis missing."""
    array = scan.array.copy()
    filled = np.nonzero(array.any(axis=tuple(other for other in range(3) if other != axis)))[0]
    part = slice(0, filled[0] + slices) if end == 0 else slice(filled[-1] + 1 - slices, None)
    array[tuple(part if one == axis else slice(None) for one in range(3))] = 0
    return Scan(array, scan.affine, scan.path)


def test_a_brain_cut_away_on_any_side_is_told(tmp_path, sciml_command):
    fine = read_scan(local_path("mni2009c_t1"))
    whole = Scan(fine.array[::2, ::2, ::2], fine.affine @ np.diag([2, 2, 2, 1]), fine.path)
    assert not [one for one in flat_faces(whole) if one[1] > one[2]]
    sides = [side for pair in SIDES for side in pair]
    turned = nibabel.as_closest_canonical(nibabel.Nifti1Image(whole.array, whole.affine)).as_reoriented(
        np.array([[0, -1], [2, 1], [1, -1]])
    )
    other = Scan(np.asarray(turned.dataobj), turned.affine, whole.path)
    for number, side in enumerate(sides):
        assert [one for one, area, most in flat_faces(cut(whole, *divmod(number, 2), 8)) if area > most] == [side]
        # the names are those of the body, whatever the order of the voxels
        axis = (0, 2, 1)[number // 2]
        end = number % 2 if axis == 2 else 1 - number % 2
        assert [one for one, area, most in flat_faces(cut(other, axis, end, 8)) if area > most] == [side]
    path = save(tmp_path / "a.nii.gz", cut(whole, 1, 0, 8).array, whole.affine)
    code, out, error = sciml_command("progression", "check", path)
    assert code == 2
    assert "error: the brain ends at the back in a flat face of" in out
    assert "slices are missing" in error


def test_a_brain_cut_along_no_axis_is_told(brain):
    scan = Scan(*brain, None)  # type: ignore[arg-type]
    # cut first and turned then: no axis of the voxels sees the face
    turned = Scan(*rotated(cut(scan, 1, 0, 10).array, scan.affine, 20), None)  # type: ignore[arg-type]
    errors = [one.text for one in examine(turned, place(turned, GRID), GRID, mni_reference(GRID)) if one.code == "cut"]
    assert errors and "at the back only" in errors[0]


def test_a_real_head_with_its_skull_is_told(sciml_command, need_data):
    need_data("mr_colin27_t1")
    code, out, _ = sciml_command("progression", "check", local_path("mr_colin27_t1"))
    assert code == 2
    assert "error: 59 % of the field of view is filled" in out


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda a: a * np.nan, DataError, "not finite"),
        (lambda a: np.ones_like(a), DataError, "constant"),
        (lambda a: np.stack([a, a], -1), DataError, "--volume"),
        (lambda a: a.astype(np.complex64), DataError, "complex64"),
        (lambda a: np.where(a > 0, a - 150, 0), DataError, "z-score"),
    ],
)
def test_arrays_that_are_no_t1_are_refused(brain, tmp_path, make, error, words):
    path = save(tmp_path / "a.nii.gz", make(brain[0]), brain[1])
    with pytest.raises(error, match=words):
        place(read_scan(path), GRID)


def test_files_that_are_no_image_are_refused(brain, image, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_scan(tmp_path / "none.nii")
    with pytest.raises(DataError, match="dcm2niix"):
        read_scan(tmp_path)
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(image.read_bytes()[:500])
    with pytest.raises(FormatError, match="cannot be read"):
        place(read_scan(broken), GRID)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(FormatError, match="not NIfTI"):
        read_scan(tmp_path / "a.png")
    with pytest.raises(DataError, match="6 x 3 x 3 mm"):
        read_scan(save(tmp_path / "c.nii.gz", brain[0], np.diag([6.0, 3, 3, 1])))
    nowhere = nibabel.Nifti1Image(brain[0], None)
    nowhere.header["qform_code"] = nowhere.header["sform_code"] = 0
    nibabel.save(nowhere, tmp_path / "d.nii.gz")
    with pytest.raises(DataError, match="neither qform nor sform"):
        read_scan(tmp_path / "d.nii.gz")
    two = save(tmp_path / "e.nii.gz", np.stack([brain[0], brain[0] / 2], -1), brain[1])
    np.testing.assert_allclose(read_scan(two, volume=1).array, brain[0] / 2, rtol=1e-5)
    with pytest.raises(DataError, match="volumes 0 to 1"):
        read_scan(two, volume=2)


def test_affine_numbers_mean_what_they_say():
    np.testing.assert_allclose(affine_of(np.zeros(12)), np.eye(4), atol=1e-12)
    numbers = np.zeros(12)
    numbers[:3] = 0.5, -0.2, 0.1
    np.testing.assert_allclose(affine_of(numbers)[:3, 3], (5, -2, 1))
    numbers = np.zeros(12)
    numbers[6:9] = 1.0
    assert np.linalg.det(affine_of(numbers)[:3, :3]) == pytest.approx(np.exp(0.3))


@pytest.mark.slow
def test_registration_finds_a_moved_brain(brain, tmp_path):
    array, affine = brain
    moved = affine_of(np.array([1.5, -1.0, 0.8, 0.5, 0.3, -0.4, 0.6, -0.5, 0.3, 0, 0, 0]))
    scan = read_scan(save(tmp_path / "a.nii.gz", array, moved @ affine))
    reference = mni_reference(GRID)
    found = register_affine(scan, reference)
    places = GRID.affine[:3, :3] @ np.argwhere(reference.mask).T + GRID.affine[:3, 3:]
    distance = np.linalg.norm((found - moved)[:3, :3] @ places + (found - moved)[:3, 3:], axis=0)
    assert distance.mean() < 2.0
    assert not [one for one in examine(scan, place(scan, GRID, found), GRID, reference) if one.level == "error"]


def test_check_says_good_or_shows_why_not(tmp_path, brain, image, sciml_command):
    code, out, _ = sciml_command("progression", "check", image, "--picture-out", tmp_path / "check.png")
    assert code == 0
    assert "warning: voxels of 3 x 3 x 3 mm" in out
    assert (tmp_path / "check.png").stat().st_size > 1000
    bad = save(tmp_path / "skull.nii.gz", *with_skull(*brain))
    code, out, error = sciml_command("progression", "check", bad)
    assert code == 2
    assert "skull.nii.gz cannot be used" in error
    assert "\n" not in error.strip()
    code, _, error = sciml_command("progression", "check", image, "--register", "elastic")
    assert code == 2
    assert "expected none or affine" in error


def test_help_says_what_it_is_not_for(sciml_command):
    for words in ([], ["simulate"], ["check"], ["prepare"]):
        assert "Not for clinical use" in " ".join(sciml_command("progression", *words, "--help")[1].replace("│", " ").split())
