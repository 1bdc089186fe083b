"""Stages are clear about damaged, missing and foreign input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic_study import ONE, without_record

from sciml.runtime.errors import ConfigError, DataError, FormatError, ScimlError
from sciml.runtime.files import load_tensors, save_tensors, write_json
from sciml.runtime.results import write_result


def damage_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_text(path: Path) -> None:
    path.write_text("no tensors here\n")


def damage_other(path: Path) -> None:
    save_tensors(path, {"weights": np.zeros(3)}, {"model": "x"})


def damage_lacks_tensor(path: Path) -> None:
    arrays, metadata = load_tensors(path)
    del arrays["0.test.data"]
    save_tensors(path, arrays, metadata)


def damage_lacks_role(path: Path) -> None:
    arrays, metadata = load_tensors(path)
    del metadata["variants"][0]["validation"]
    save_tensors(path, arrays, metadata)


DAMAGES = [damage_truncate, damage_empty, damage_text, damage_other, damage_lacks_tensor, damage_lacks_role]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_measurement_file_is_one_clear_error(study, damage):
    study.measure()
    write_json(study.parameters, {})
    damage(study.measurements)
    with pytest.raises(DataError, match=r"measurements\.safetensors is not what imaging\.measure wrote"):
        study.tune()
    without_record(study.measurements)
    for stage in (study.tune, study.solve):
        with pytest.raises(FormatError, match=r"measurements\.safetensors") as caught:
            stage()
        assert "\n" not in str(caught.value)
    assert not study.reconstructions.exists()


def test_missing_files_are_named(study):
    with pytest.raises(DataError, match="measurements"):
        study.tune()
    study.measure()
    with pytest.raises(DataError, match="parameters"):
        study.solve()
    study.tune()
    with pytest.raises(DataError, match="reconstructions"):
        study.evaluate()


def test_parameters_that_lack_a_method_are_named(study):
    study.measure()
    study.methods = ("tv",)
    study.tune()
    study.methods = ("tv", "nlm")
    with pytest.raises(ScimlError, match=r"parameters\.json.*nlm"):
        study.solve()
    write_result(study.parameters, {"mild": {"tv": ONE}})
    without_record(study.parameters)
    study.methods = ("tv",)
    with pytest.raises(ScimlError, match=r"parameters\.json.*strong"):
        study.solve()


def test_reconstructions_of_other_measurements_are_refused(study):
    study.all()
    study.measure(variants={"mild": {"sigma": 0.05}})
    with pytest.raises(ScimlError, match=r"reconstructions\.safetensors"):
        study.evaluate()
    arrays, metadata = load_tensors(study.reconstructions)
    save_tensors(study.reconstructions, {"0.tv": arrays["0.tv"][:1]}, metadata)
    without_record(study.reconstructions)
    with pytest.raises(ScimlError, match=r"reconstructions\.safetensors"):
        study.evaluate()


def test_a_method_for_another_task_is_refused_before_any_work(study):
    study.measure()
    study.methods = ("tv", "fbp")
    with pytest.raises(ConfigError, match="'fbp' does not apply to denoise"):
        study.tune()
    assert not study.parameters.exists()
