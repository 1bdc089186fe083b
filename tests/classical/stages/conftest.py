"""A study on synthetic pictures in place of the real ones."""

from __future__ import annotations

import pytest
from imaging_problems import blocks
from synthetic_study import Study

from sciml.classical.stages import measure
from sciml.imaging.tasks.cases import Case


@pytest.fixture
def pictures(monkeypatch, tmp_path):
    """Replace the real pictures by small synthetic ones, other ones for each role."""
    source = tmp_path / "source.bin"
    source.write_bytes(b"pixels")

    def synthetic(experiment, role, count, size, tier, own=()):
        first = 0 if role == "validation" else 3
        found = blocks(*size, batch=first + count).numpy()[first:, 0]
        return [Case(f"{role}-{index}", array) for index, array in enumerate(found)]

    monkeypatch.setattr(measure, "cases", synthetic)
    monkeypatch.setattr(measure, "local_path", lambda name: source)


@pytest.fixture
def study(pictures, tmp_path) -> Study:
    return Study(tmp_path / "one")
