"""A user's tables and segmentations: what is read, leaks, and every bad row with its answer."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scan_files import HEADER, oriented, save, table

from sciml.formats.nifti import Scan, read_scan
from sciml.progression.cohorts.cohort import Cohort, Visit, check_visits
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.courses.fit import course_of
from sciml.progression.scans.preparation import check_leaks
from sciml.progression.scans.segmentation import SYNTHSEG, code_table, measured_volumes, run_synthseg, unknown_codes
from sciml.progression.scans.tables import Row, read_table, split_warnings, warnings_of, with_splits
from sciml.runtime.errors import ConfigError, DataError, FormatError, ScimlError


def test_a_table_is_read_and_sorted(tmp_path):
    rows = read_table(table(tmp_path, "b,71.5,male,AD,b2.nii", "b,70,M,1,b1.nii", "a,60,1,0.5,a.nii"))
    assert [(row.subject, row.age_years, row.sex, row.diagnosis) for row in rows] == [
        ("a", 60, "F", "MCI"), ("b", 70, "M", "AD"), ("b", 71.5, "M", "AD"),
    ]  # fmt: skip
    assert rows[0].image == tmp_path / "a.nii"
    official = read_table(table(tmp_path, "a,60,2,3,a.nii"), coding="brlp-cli")[0]
    assert (official.sex, official.diagnosis) == ("F", "AD")
    assert read_table(table(tmp_path, "a,60,F,,a.nii"), diagnosis="MCI")[0].diagnosis == "MCI"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a,0.72,F,CN,a.nii", "b,0.65,M,CN,b.nii"], "age must be in years"),
        (["a,840,F,CN,a.nii", "b,70,M,CN,b.nii"], "line 2: age 840 is not in years"),
        (["a,old,F,CN,a.nii"], "line 2: age 'old' is not a number"),
        (["a,70,x,CN,a.nii"], "line 2: sex 'x' is unknown: expected one of m, male"),
        (["a,70,2,CN,a.nii"], "--coding brlp-cli"),
        (["a,70,F,demented,a.nii"], "line 2: diagnosis 'demented' is unknown: expected one of cn"),
        (["a,70,F,,a.nii"], r"--diagnosis CN\|MCI\|AD"),
        (["a,70,F,CN,a.nii", "a,70,F,CN,b.nii"], "line 3: subject a has two scans at age 70"),
        (["a,70,F,CN,a.nii", "a,72,M,CN,b.nii"], "subject a has sex 'M'"),
        ([], "holds no scan"),
        (["a,70,F,CN,"], "subject and image must be given"),
        (["a,71,F,CN,a.nii", "b,.72,M,CN,b.nii"], "line 3: age 0.72 stands beside 71"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path, rows, words):
    with pytest.raises(DataError, match=words):
        read_table(table(tmp_path, *rows))


def test_tables_that_are_none_are_refused(tmp_path):
    with pytest.raises(FormatError, match="lacks the column sex"):
        read_table(table(tmp_path, "a,70", header="subject,age\n"))
    with pytest.raises(DataError, match="cannot read"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(FormatError, match="separates its columns by ';': expected commas"):
        read_table(table(tmp_path, "a;70;F;CN;a.nii", header=HEADER.replace(",", ";")))
    with pytest.raises(FormatError, match="by tabs: expected commas"):
        read_table(table(tmp_path, "a\t70", header=HEADER.replace(",", "\t")))
    with pytest.raises(FormatError, match=r"participants\.tsv"):
        read_table(tmp_path)
    header = "subject,age,sex,diagnosis,image,split\n"
    with pytest.raises(DataError, match="split 'holdout' is unknown"):
        read_table(table(tmp_path, "a,70,F,CN,a.nii,holdout", header=header))
    with pytest.raises(DataError, match="has split 'test', but 'train'"):
        read_table(table(tmp_path, "a,70,F,CN,a.nii,train", "a,72,F,CN,b.nii,test", header=header))


def test_a_bids_folder_is_a_table(tmp_path, image):
    for session in ("ses-1", "ses-2"):
        target = tmp_path / "bids" / "sub-01" / session / "anat" / f"sub-01_{session}_T1w.nii.gz"
        target.parent.mkdir(parents=True)
        shutil.copy(image, target)
    (tmp_path / "bids" / "participants.tsv").write_text("participant_id\tsex\tage\tdiagnosis\nsub-01\tF\tn/a\tCN\n")
    (tmp_path / "bids" / "sub-01" / "sub-01_sessions.tsv").write_text("session_id\tage\nses-1\t70\nses-2\t72.5\n")
    rows = read_table(tmp_path / "bids")
    assert [(row.subject, row.age_years, row.image_uid) for row in rows] == [("sub-01", 70, "ses-1"), ("sub-01", 72.5, "ses-2")]
    (tmp_path / "bids" / "participants.tsv").write_text("participant_id\tsex\nsub-02\tF\n")
    with pytest.raises(DataError, match="no row of sub-01"):
        read_table(tmp_path / "bids")


def test_a_session_without_an_age_is_refused(tmp_path):
    bids = tmp_path / "bids"
    for session in ("ses-1", "ses-2"):
        target = bids / "sub-01" / session / "anat" / f"sub-01_{session}_T1w.nii.gz"
        target.parent.mkdir(parents=True)
        target.touch()
    (bids / "participants.tsv").write_text("participant_id\tsex\tage\tdiagnosis\nsub-01\tF\t70\tCN\n")
    with pytest.raises(DataError, match=r"sub-01 has 2 scans and ses-1 has no age of its own: give it in sub-01/sub-01_sessions"):
        read_table(bids)
    (bids / "sub-01" / "sub-01_sessions.tsv").write_text("session_id\tage\nses-1\t70\nses-2\tn/a\n")
    with pytest.raises(DataError, match=r"ses-2 has no age"):
        read_table(bids)
    (bids / "sub-01" / "ses-2" / "anat" / "sub-01_ses-2_T1w.nii.gz").unlink()
    (bids / "sub-01" / "sub-01_sessions.tsv").unlink()
    assert [row.age_years for row in read_table(bids)] == [70]


@pytest.mark.parametrize("uids", [("", ""), ("first", "second")])
def test_tables_cohorts_and_courses_agree_on_two_scans_at_one_age(tmp_path, uids):
    """Ages rise: nowhere are two scans at one age taken."""
    rows = [f"a,70,F,CN,{name}.nii,{uid}" for name, uid in zip("ab", uids, strict=True)]
    with pytest.raises(DataError, match="two scans at age 70"):
        read_table(table(tmp_path, *rows, header="subject,age,sex,diagnosis,image,image_uid\n"))
    visits = [Visit("a", number, "test", 70.0, "F", "CN", (10.0,) * len(REGIONS)) for number in range(2)]
    with pytest.raises(DataError, match="two visits at age 70"):
        check_visits(visits)
    with pytest.raises(DataError, match="do not rise"):
        course_of(visits)


def test_a_diagnosis_that_changes_is_told_and_kept_by_visit(tmp_path):
    rows = read_table(table(tmp_path, "a,72,F,MCI,b.nii", "a,70,F,CN,a.nii", "b,70,F,CN,c.nii"))
    assert [row.diagnosis for row in rows] == ["CN", "MCI", "CN"]
    (warning,) = warnings_of(rows)
    assert "line 2: the diagnosis of a changes from CN at 70 to MCI at 72" in warning
    visits = [Visit("a", n, "test", row.age_years, "F", row.diagnosis, (9.0,) * len(REGIONS)) for n, row in enumerate(rows[:2])]
    assert course_of(visits).diagnosis == "MCI"


@pytest.mark.parametrize(
    ("people", "counts"), [(1, (0, 0, 1)), (2, (0, 0, 2)), (3, (1, 1, 1)), (9, (6, 1, 2)), (10, (7, 1, 2)), (40, (32, 2, 6))]
)
def test_every_split_gets_a_subject(tmp_path, people, counts):
    rows = read_table(table(tmp_path, *(f"p{number:02},70,F,CN,{number}.nii" for number in range(people))))
    drawn = with_splits(rows, (0.8, 0.05, 0.15), [row.subject for row in rows])
    found = Counter(row.split for row in drawn)
    assert tuple(found[split] for split in ("train", "validation", "test")) == counts
    assert bool(split_warnings(drawn)) == (people < 3)


def test_volumes_are_millilitres_whatever_the_voxels(labels, tmp_path):
    scan = read_scan(save(tmp_path / "a.nii.gz", *labels), whole_numbers=True)
    volumes = measured_volumes(scan, SYNTHSEG)
    counts = [np.isin(labels[0], SYNTHSEG[region]).sum() for region in REGIONS]
    np.testing.assert_allclose(volumes, np.array(counts) * 0.027, rtol=1e-6)
    doubled = read_scan(save(tmp_path / "b.nii.gz", labels[0].repeat(2, 0), labels[1] @ np.diag([0.5, 1, 1, 1])), None, True)
    np.testing.assert_allclose(measured_volumes(doubled, SYNTHSEG), volumes, rtol=1e-6)
    assert unknown_codes(scan, SYNTHSEG) == [99]
    with pytest.raises(DataError, match="no voxel of amygdala"):
        measured_volumes(Scan(np.where(np.isin(labels[0], SYNTHSEG["amygdala"]), 0, labels[0]), labels[1], scan.path), SYNTHSEG)
    with pytest.raises(DataError, match="not whole numbers"):
        measured_volumes(Scan(labels[0] + 0.5, labels[1], scan.path), SYNTHSEG)


def test_code_tables(tmp_path):
    assert code_table("published")["grey_matter"] == (3, 42)
    path = tmp_path / "codes.csv"
    path.write_text("region,code\n" + "".join(f"{region},{number}\n" for number, region in enumerate(REGIONS, 1)))
    assert code_table(str(path))["amygdala"] == (3,)
    path.write_text("region,code\nventricle,one\n")
    with pytest.raises(FormatError, match="no code table"):
        code_table(str(path))
    path.write_text("region,code\nventricle,1\n")
    with pytest.raises(FormatError, match="expected ventricle, hippocampus"):
        code_table(str(path))
    with pytest.raises(ConfigError, match="synthseg, published"):
        code_table("none")


def test_synthseg_is_run_where_it_is_installed(tmp_path, image, labels, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ConfigError, match="column segmentation"):
        run_synthseg(image, tmp_path / "out.nii.gz")
    made = save(tmp_path / "made.nii.gz", *labels)
    command = tmp_path / "bin" / "mri_synthseg"
    command.parent.mkdir()
    # the image's path has a space in it
    command.write_text(f'#!/bin/sh\n/bin/test -f "$2" && /bin/cp "{made}" "$4"\n')
    command.chmod(0o755)
    assert measured_volumes(run_synthseg(image, tmp_path / "out.nii.gz"), SYNTHSEG)[0] > 0
    command.write_text("#!/bin/sh\necho out of memory >&2\nexit 3\n")
    with pytest.raises(ScimlError, match="exit code 3: out of memory"):
        run_synthseg(image, tmp_path / "out.nii.gz")


def cohort_table(tmp_path, brain, labels, people=3):
    rows = []
    save(tmp_path / "seg.nii.gz", *labels)
    for number in range(people):
        for visit in range(2):
            name = f"p{number} v{visit}.nii.gz"
            save(tmp_path / name, brain[0] * (1 + number + 0.1 * visit), brain[1])
            rows.append(f"p{number},{70 + visit},F,CN,{name},seg.nii.gz")
    return table(tmp_path, *rows, header="subject,age,sex,diagnosis,image,segmentation\n")


def test_prepare_makes_a_cohort(tmp_path, brain, labels, sciml_command):
    code, out, error = sciml_command(
        "progression", "prepare", cohort_table(tmp_path, brain, labels), tmp_path / "cohort", "--split", "0.34,0.33,0.33"
    )
    assert code == 0, error
    assert "6 scans of 3 subjects (1 train, 1 validation, 1 test)" in out
    cohort = Cohort(tmp_path / "cohort")
    first, second = cohort.subjects()["p0"]
    # brightness is taken away
    np.testing.assert_allclose(cohort.image(first), cohort.image(second), atol=2e-3)
    assert first.volume_ml("thalamus") > 1
    assert cohort.labels(first).sum() > 0
    assert "99" in (tmp_path / "cohort" / "warnings.json").read_text()


def leaking(tmp_path, brain, **other):
    """Two people, one image: the second file with other bytes and the same voxels."""
    array = np.rint(brain[0])
    files = {"a.nii.gz": (array.astype(np.uint8), brain[1]), "b.nii": (array.astype(np.int16), brain[1])} | other
    for name, (values, affine) in files.items():
        save(tmp_path / name, values, affine)
    return [Row(f"line {n}", f"p{n}", 70.0, "F", "CN", tmp_path / name, split="train") for n, name in enumerate(files)]


def test_one_image_is_not_two_people(tmp_path, brain):
    with pytest.raises(DataError, match=r"line 1: the image of p1 \(train\) is voxel for voxel that of p0"):
        check_leaks(leaking(tmp_path, brain))
    other = {"b.nii": oriented(np.rint(brain[0]).astype(np.uint8), brain[1], "LPI")}
    with pytest.raises(DataError, match="voxel for voxel"):
        check_leaks(leaking(tmp_path, brain, **other))
    other = {"b.nii": (np.rint(brain[0]).astype(np.uint8)[::-1].copy(), brain[1])}
    assert check_leaks(leaking(tmp_path, brain, **other)) == []


def test_a_scan_that_stands_twice_for_one_person_is_a_warning(tmp_path, brain):
    first, second = leaking(tmp_path, brain)
    (warning,) = check_leaks([first, replace(second, subject="p0", age_years=71.0)])
    assert "line 1: the image is voxel for voxel that of line 0" in warning


def test_a_missing_or_broken_file_names_its_row(tmp_path, brain):
    first, second = leaking(tmp_path, brain)
    absent = tmp_path / "absent.nii"
    for row in (replace(second, image=absent), replace(second, segmentation=absent)):
        with pytest.raises(DataError, match=r"line 1: no such file: .*absent\.nii"):
            check_leaks([first, row])
    second.image.write_text("<html>")
    with pytest.raises(FormatError, match=r"line 1: .*b\.nii is a web page"):
        check_leaks([first, second])


@pytest.mark.slow
def test_another_persons_row_changes_no_artefact_of_the_first(tmp_path, brain, labels, sciml_command):
    """Leakage by mutation: nothing of one person enters the file of another."""
    path = cohort_table(tmp_path, brain, labels, people=2)
    assert sciml_command("progression", "prepare", path, tmp_path / "one")[0] == 0
    save(tmp_path / "p1 v0.nii.gz", brain[0] * 0.7 + (brain[0] > 0) * 20, brain[1])
    assert sciml_command("progression", "prepare", path, tmp_path / "two")[0] == 0
    same, changed = "subjects/p0.safetensors", "subjects/p1.safetensors"
    assert (tmp_path / "one" / same).read_bytes() == (tmp_path / "two" / same).read_bytes()
    assert (tmp_path / "one" / changed).read_bytes() != (tmp_path / "two" / changed).read_bytes()
