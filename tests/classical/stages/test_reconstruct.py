"""The stages from pictures to numbers: repeatable to the byte, and resumable."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from synthetic_study import METHODS, ONE, VARIANTS, Study, without_record

from sciml.classical.config import CheckConfig
from sciml.classical.stages import check, reconstruct, solve, tune
from sciml.datasets import splits
from sciml.imaging import metrics
from sciml.imaging.tasks import scores
from sciml.imaging.tasks.measurements import Measurements
from sciml.imaging.tasks.studies import MeasureConfig, ReconstructConfig, SolveConfig, TuneConfig
from sciml.runtime.files import digest_file, load_tensors, read_json, save_tensors
from sciml.runtime.results import write_result


def test_a_study_is_repeatable_to_the_byte(study, tmp_path):
    study.all()
    again = Study(tmp_path / "two")
    again.all()
    for name in ("measurements", "parameters", "reconstructions", "metrics"):
        assert getattr(study, name).read_bytes() == getattr(again, name).read_bytes(), name
    other = Study(tmp_path / "three", seed=1)
    other.all()
    assert other.metrics.read_bytes() != study.metrics.read_bytes()


def test_the_artefacts_of_a_study(study):
    study.all()
    rows = read_json(study.metrics)
    assert [(row["variant"], row["method"]) for row in rows] == [
        (variant, method) for variant in VARIANTS for method in sorted(METHODS)
    ]
    arrays, _ = load_tensors(study.reconstructions)
    truths, _ = load_tensors(study.measurements)
    for row in rows:
        assert row["cases"] == ["test-0", "test-1"] and row["task"] == "denoise"
        assert row["psnr"]["unit"] == "dB" and row["psnr"]["direction"] == "up" and row["psnr"]["n"] == 2
        assert row["psnr"]["mean"] == pytest.approx(np.mean(row["psnr"]["values"]))
        assert row["psnr"]["std"] == pytest.approx(np.std(row["psnr"]["values"], ddof=1))
        assert 0 < row["ssim"]["mean"] <= 1
        picture, truth = arrays[f"{row['order']}.{row['method']}"], truths[f"{row['order']}.test.truth"]
        assert picture.shape == (2, 1, 32, 24) and picture.min() >= 0 and picture.max() <= 1
        by_hand = -10 * np.log10(((picture[0] - truth[0]).astype(np.float64) ** 2).mean())
        assert row["psnr"]["values"][0] == pytest.approx(by_hand, abs=1e-3)
    strong, mild = (np.mean([row["psnr"]["mean"] for row in rows if row["variant"] == name]) for name in ("strong", "mild"))
    assert mild > strong + 3
    assert "seconds" not in study.metrics.read_text()
    provenance = read_json(study.reconstructions.parent / "provenance.json")
    assert provenance["stage"] == "imaging.solve"
    assert provenance["inputs"] == {str(path): digest_file(path) for path in (study.measurements, study.parameters)}
    assert set(provenance["notes"]["seconds_per_image"]) == {f"{variant}, {name}" for variant in VARIANTS for name in METHODS}
    assert not study.reconstructions.parent.with_name("solve.partial").exists()


def test_measurements_come_back_as_they_were(study):
    study.measure("deblur", {"a": {"kernel_size": 13}, "b": {"kernel": "disk", "sigma": 0.01}})
    loaded = Measurements.load(study.measurements)
    for label, task in loaded.tasks.items():
        part = loaded.part(label, "test")
        assert part.cases == ("test-0", "test-1") and part.positions_mm == (None, None)
        assert tuple(part.truth.shape[-2:]) == task.canvas
        residual = part.data - task.physics.A(part.truth)
        assert float(residual.std()) == pytest.approx(task.options["sigma"], rel=0.1)
    assert loaded.tasks["a"].physics.kernel.shape != loaded.tasks["b"].physics.kernel.shape
    copy = study.folder / "copy.safetensors"
    loaded.save(copy)
    assert copy.read_bytes() == study.measurements.read_bytes()


def test_tuning_reads_only_validation_and_solving_only_test_data(study, monkeypatch):
    asked: list[str] = []
    part = Measurements.part
    monkeypatch.setattr(Measurements, "part", lambda self, variant, role: asked.append(role) or part(self, variant, role))
    study.measure()
    asked.clear()
    study.tune()
    assert set(asked) == {"validation"}
    asked.clear()
    study.solve()
    assert set(asked) == {"test"}


def test_parameters_do_not_change_with_the_test_data(study):
    study.measure()
    study.tune()
    before = study.parameters.read_bytes()
    arrays, metadata = load_tensors(study.measurements)
    arrays = {name: array * 0 if ".test." in name else array for name, array in arrays.items()}
    save_tensors(study.measurements, arrays, metadata)
    without_record(study.measurements)
    study.tune()
    assert study.parameters.read_bytes() == before
    for variant in json.loads(before).values():
        assert set(variant) == set(METHODS)
        for found in variant.values():
            best = max(found["curve"], key=lambda point: point["psnr_db"])
            assert found["value"] == best["value"] and found["cases"] == ["validation-0"]


class Interrupt(Exception):
    pass


def counting(monkeypatch, fail_at: int | None = None) -> list[float]:
    """Count the reconstructions that `solve` really computes; stop before one of them."""
    calls: list[float] = []
    original = solve.solve

    def wrapped(method, y, physics, value):
        if fail_at is not None and len(calls) == fail_at:
            raise Interrupt
        calls.append(value)
        return original(method, y, physics, value)

    monkeypatch.setattr(solve, "solve", wrapped)
    return calls


@pytest.mark.parametrize("finished", [1, 4])
def test_an_interrupted_solve_goes_on_where_it_stopped(study, tmp_path, finished):
    study.measure()
    study.tune()
    with pytest.MonkeyPatch.context() as patch:
        calls = counting(patch, fail_at=finished)
        with pytest.raises(Interrupt):
            study.solve()
        assert len(calls) == finished
    assert not study.reconstructions.exists()
    partial = study.reconstructions.parent.with_name("solve.partial")
    assert len(list(partial.glob("*.safetensors"))) == finished
    with pytest.MonkeyPatch.context() as patch:
        calls = counting(patch)
        study.solve()
        assert len(calls) == len(METHODS) * len(VARIANTS) - finished
    assert not partial.exists()
    whole = tmp_path / "whole"
    solve.run(SolveConfig(methods=METHODS), study.measurements, study.parameters, whole)
    assert (whole / study.reconstructions.name).read_bytes() == study.reconstructions.read_bytes()


def test_a_run_that_was_killed_while_solving_tunes_nothing_again(study, monkeypatch):
    def run():
        task = MeasureConfig(
            task="denoise", size=(32, 24), variants=VARIANTS, validation_images=1, test_images=2, data_tier="ci", seed=0
        )
        methods = {"methods": METHODS}
        reconstruct.run(ReconstructConfig(measure=task, tune=TuneConfig(**methods), solve=SolveConfig(**methods)), study.folder)

    with pytest.MonkeyPatch.context() as patch:
        counting(patch, fail_at=1)
        with pytest.raises(Interrupt):
            run()
    parameters = study.parameters.read_bytes()
    shutil.rmtree(study.parameters.parent)  # as Snakemake does with the outputs of a failed job
    monkeypatch.setattr(tune, "tune", lambda *given: pytest.fail("tuned again"))
    run()
    assert study.parameters.read_bytes() == parameters and study.reconstructions.is_file()
    assert not list(study.folder.glob("*.partial"))


def test_parts_of_other_inputs_are_made_again(study):
    study.measure()
    study.tune()
    with pytest.MonkeyPatch.context() as patch:
        counting(patch, fail_at=3)
        with pytest.raises(Interrupt):
            study.solve()
    study.seed = 1
    study.measure()
    with pytest.MonkeyPatch.context() as patch:
        calls = counting(patch)
        study.solve()
        assert len(calls) == len(METHODS) * len(VARIANTS)


def test_the_truth_is_cut_to_what_was_reconstructed():
    truth = np.arange(36.0).reshape(1, 1, 6, 6)
    np.testing.assert_array_equal(scores.inside(truth, (2, 4))[0, 0], truth[0, 0, 2:4, 1:5])


@pytest.mark.parametrize(("values", "mean", "std"), [([3.0], 3.0, 0.0), ([1.0, 3.0], 2.0, 2**0.5), ([1.0, 2.0, 3.0], 2.0, 1.0)])
def test_spread_by_hand(values, mean, std):
    found = metrics.spread(values)
    assert found["mean"] == mean and found["std"] == pytest.approx(std) and found["n"] == len(values)


# the parameter is given: tuning is tested on denoising
@pytest.mark.parametrize(
    ("task", "size", "options"),
    [("ct-sparse", (48, 48), {"views": 20}), ("mri-cs", (48, 40), {}), ("inpaint", (32, 32), {}), ("ct-limited", (32, 32), {})],
)
def test_other_tasks_go_through_every_stage(study, task, size, options):
    study.methods = ("tv",)
    study.measure(task, {"only": options}, size)
    write_result(study.parameters, {"only": {"tv": ONE}})
    study.solve()
    study.evaluate()
    (row,) = read_json(study.metrics)
    assert row["task"] == task and 15 < row["psnr"]["mean"] < 80
    assert load_tensors(study.reconstructions)[0]["0.tv"].shape == (2, 1, *size)


def test_real_slices_go_through_every_stage_with_their_patients_apart(need_data, tmp_path):
    need_data("ct_cranium", "dcm_ct_small", "dcm_j2k_pixelrep_mismatch")
    study = Study(tmp_path / "real", methods=("fbp", "tv"))
    study.all(task="ct-sparse", size=(64, 64), variants={"24 views": {"views": 24}})
    scores = {row["method"]: row["psnr"]["mean"] for row in read_json(study.metrics)}
    assert scores["tv"] > scores["fbp"] + 2
    part = Measurements.load(study.measurements).parts
    names = {role: {case.partition("[")[0] for case in part["24 views", role].cases} for role in ("validation", "test")}
    assert not any(splits.overlap(a, b) for a in names["validation"] for b in names["test"])
    assert None not in part["24 views", "test"].positions_mm
    assert torch.equal(part["24 views", "test"].truth.clamp(0, 1), part["24 views", "test"].truth)


def test_every_check_passes(tmp_path):
    (path,) = check.run(CheckConfig(data_tier="ci", seed=0, size=(64, 64)), tmp_path)
    result = read_json(path)
    assert len(result["checks"]) == 6 * 3 + 2 + 2  # three an operator, unit norm of the scanners, radon, prox
    assert [entry["name"] for entry in result["checks"] if not entry["passed"]] == []
    assert result["fbp_reference"] is None  # its volume is not in the smallest tier


def test_a_wrong_operator_fails_its_checks():
    built = check.task("denoise", (32, 32), 0)
    built.physics.A = lambda x: 1.1 * x
    failed = {entry.name for entry in check.operator_checks(built, check.Seeds(0)) if not entry.passed}
    assert failed == {"denoise: adjoint", "denoise: norm"}
