"""Results cross the disk as models: what comes back is what went, and what does not fit is told in one line."""

from __future__ import annotations

import math

import pytest

from sciml.runtime.errors import DataError, FormatError
from sciml.runtime.files import read_json
from sciml.runtime.results import Result, read_result, write_result


class Score(Result):
    photograph: str
    psnr: float | None = None
    curve: tuple[tuple[float, float], ...] = ()


def test_models_in_lists_and_mappings_come_back_and_absent_values_are_not_written(tmp_path):
    content = {"a": [Score(photograph="camera", psnr=31.5, curve=((1.0, 2.0),))], "b": [Score(photograph="osprey")]}
    path = write_result(tmp_path / "scores.json", content)
    assert read_result(path, dict[str, list[Score]]) == content
    assert read_json(path)["b"] == [{"photograph": "osprey"}]
    assert read_result(write_result(path, Score(photograph="c", psnr=math.inf)), Score).psnr is None


def test_what_does_not_fit_is_told_with_its_place(tmp_path):
    path = write_result(tmp_path / "scores.json", [{"photograph": "camera", "ssim": 1.0}])
    with pytest.raises(DataError, match=r"scores.json: 0.ssim: .* run the stage that writes it again"):
        read_result(path, list[Score])
    path.write_text(path.read_text()[:20])
    with pytest.raises(FormatError, match=r"scores.json is not valid JSON: .*; remove it, and the workflow makes it again"):
        read_result(path, list[Score])
