"""Cases by the rule, operators that are told wrong, costs, and settings."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from sciml.datasets.crops import photo_crops
from sciml.datasets.splits import check_weight_inputs, experiments, overlap, parse_entry, roles
from sciml.imaging.operators.tomography import ParallelBeam
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import load_tensors, read_json
from sciml.runtime.places import resource
from sciml.runtime.seeds import Seeds
from sciml.settings import load
from sciml.studies.matrix import Config, costed
from sciml.studies.matrix.settings.rows import NETWORKS, ROWS, rows_of
from sciml.studies.matrix.study.trials import run_trials
from sciml.studies.matrix.trial.cases import TrueCase, case_digests, chosen_crops, in_turn, scanned
from sciml.studies.matrix.trial.contestant import Contestant, Outcome
from sciml.studies.matrix.trial.problems import Problem, measured, true_task


def test_a_case_is_of_no_photograph_or_person_that_anything_learns_from_or_chooses_by():
    crops = {crop.photograph for crop in chosen_crops(42, "default")}
    assert crops == {crop.photograph for crop in photo_crops("test")}
    for experiment in experiments():
        for tier in ("ci", "default", "full"):
            used = [one for role, entries in roles(experiment, tier).items() if not role.startswith("test") for one in entries]
            assert not crops & {parse_entry(entry)[0] for entry in used}
    for experiment in ("imaging-ct", "imaging-mri"):
        tuned = roles(experiment)["validation"]
        assert scanned(experiment, "default")
        assert not [(a, b) for a in scanned(experiment, "default") for b in tuned if overlap(a, b)]


@pytest.mark.parametrize("row", ROWS)
def test_no_shipped_network_saw_a_case(row, need_data):
    kind = ROWS[row]
    experiment = "photo-crops" if kind.domain == "photo" else "imaging-mri" if kind.task == "mri-cs" else "imaging-ct"
    for network in NETWORKS[kind.task].values():
        check_weight_inputs(resource("sciml", "proximal", "weights", f"{network}.safetensors"), experiment)


def test_the_rule_takes_every_photograph_before_a_second_crop_of_one():
    crops = chosen_crops(20, "default")
    assert len({crop.photograph for crop in crops}) == 20
    assert [crop.name for crop in chosen_crops(42, "default")][:20] == [crop.name for crop in crops]
    assert sorted(in_turn(["a", "b", "a", "c"], 9)) == [0, 1, 2, 3] and in_turn(["a", "b", "a", "c"], 3) == [0, 1, 3]
    assert set(case_digests(("ct-sparse",), 4, "ci")) == {"ct_cranium", "dcm_ct_small"}


def case(task) -> TrueCase:
    rows, columns = np.mgrid[: task.canvas[0], : task.canvas[1]]
    return TrueCase("made", "made", "made", (0.5 + 0.4 * np.sin(rows / 5) * np.cos(columns / 7)).astype(np.float32))


@pytest.mark.parametrize("name", ["deblur", "deblur-inexact", "ct-sparse", "ct-inexact"])
def test_an_inexact_row_measures_with_one_operator_and_tells_another(name):
    true = true_task(ROWS[name], 64, 0)
    (problem,) = measured(name, [case(true)], true, Seeds(0), 0)
    (again,) = measured(name, [case(true)], true, Seeds(0), 0)
    assert torch.equal(problem.data, again.data) and problem.truth.shape == (1, 1, 64, 64)
    x = torch.from_numpy(case(true).array)[None, None]
    told = problem.told.physics
    if isinstance(told, ParallelBeam):
        apart = float((told.A(x) - true.physics.A(x)).norm() / true.physics.A(x).norm())
    else:
        kernels = [physics.kernel.reshape(physics.kernel.shape[-2:]) for physics in (told, true.physics)]
        margin = (len(kernels[0]) - len(kernels[1])) // 2
        apart = float((kernels[0] - torch.nn.functional.pad(kernels[1], [margin] * 4)).norm())
    assert (apart == 0) == ROWS[name].exact
    # what a method is scored on lies on the truth, whatever the size of the kernel that it was told
    assert problem.picture(torch.zeros(1, 1, *problem.told.canvas)).shape == problem.truth.shape


def test_seeds_draw_other_noise_and_kernels_and_validation_shares_one_error():
    true = true_task(ROWS["deblur-inexact"], 64, 0)
    one, other = case(true), TrueCase("other", "other", "other", case(true).array)
    first, second = measured("deblur-inexact", [one, other], true, Seeds(0), 0)
    shared = [found.told.physics.kernel for found in measured("deblur-inexact", [one, other], true, Seeds(0), 0, "validation")]
    assert not torch.equal(first.data, second.data) and torch.equal(*shared)
    assert first.told.physics.kernel.shape != second.told.physics.kernel.shape or not torch.equal(
        first.told.physics.kernel, second.told.physics.kernel
    )
    assert not torch.equal(true.physics.kernel, true_task(ROWS["deblur"], 64, 1).physics.kernel)


def test_a_call_is_timed_and_its_memory_measured_after_what_was_freed():
    def work() -> int:
        held = np.ones(40 * 2**20 // 8)
        time.sleep(0.3)
        return int(held[:3].sum())

    _, before = costed(work)
    found, cost = costed(work)
    assert found == 3 and cost.wall_s >= 0.3 > cost.cpu_s
    if cost.memory_mib is not None:
        assert 38 < cost.memory_mib < 60 and abs(cost.memory_mib - before.memory_mib) < 12
        assert costed(lambda: 1)[1].memory_mib < 2


def test_settings_name_rows_and_methods_that_exist_and_a_job_reads_its_own():
    run = load("ci")
    assert Config(rows=("mri-cs", "denoise")).rows == ("denoise", "mri-cs")
    for wrong in ({"rows": ("denois",)}, {"left_out": ("median",)}, {"left_out": ("denois/tv",)}, {"priors": ("smoth",)}):
        with pytest.raises(ValueError, match="is called"):
            Config(**wrong)
    config = Config(rows=("denoise", "ct-sparse"), left_out=("ct-sparse/learned",))
    assert config.inexact() == () and config.networks("scan") == ["ct-guided"] and rows_of("photo", config.rows) == ("denoise",)
    assert config.classical_config(run, "scan").rows == ("ct-sparse",) and "tv" in config.classical_config(run, "photo").methods
    assert config.own_methods() == [] and config.compare_config(run).seed == run.master_seed
    with pytest.raises(ConfigError, match=r"matrix\.rows"):
        load("ci", ['matrix.rows=["denois"]'])


@pytest.mark.slow
def test_a_job_that_was_interrupted_goes_on_at_the_trial_where_it_was(tmp_path, need_data):
    need_data("ct_cranium")
    config, solved = Config(rows=("ct-sparse",), cases=2, seeds=2, size=64).classical_config(load("ci"), "scan"), []

    def job(folder: str, last: int = 99) -> dict[str, object]:
        def solve(problem: Problem) -> Outcome:
            if len(solved) == last:
                raise KeyboardInterrupt
            solved.append(problem.seed)
            return Outcome(problem.told.physics.A_adjoint(problem.data), False, "adjoint")

        run_trials("matrix.classical", config, lambda *_: [Contestant("adjoint", solve)], "code", [], tmp_path / folder)
        found = read_json(tmp_path / folder / "trials.json")
        costs = ("wall_s", "cpu_s", "memory_mib")
        return found | {"trials": [{name: one[name] for name in one if name not in costs} for one in found["trials"]]}

    whole = job("whole")
    assert len(solved) == 4
    solved.clear()
    with pytest.raises(KeyboardInterrupt):
        job("cut", 3)
    assert job("cut") == whole and len(solved) == 4
    pictures = [load_tensors(tmp_path / one / "pictures.safetensors")[0] for one in ("whole", "cut")]
    assert all(np.array_equal(pictures[0][name], pictures[1][name]) for name in pictures[0])
