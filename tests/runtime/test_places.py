"""Where things live: the cache of compiled programs."""

from __future__ import annotations

import os

import pytest

from sciml.runtime.places import keep_programs

VARIABLE = "JAX_COMPILATION_CACHE_DIR"


@pytest.fixture(autouse=True)
def plain(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("JAX_")]:
        monkeypatch.delenv(name)
    # what is set within is taken back at the end
    for name in (VARIABLE, "JAX_COMPILATION_CACHE_MAX_SIZE", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("SCIML_CACHE", str(tmp_path))


def test_programs_are_kept_in_the_cache_apart_by_processor(tmp_path):
    keep_programs()
    folder = os.environ[VARIABLE]
    assert folder.startswith(str(tmp_path / "programs")) and not any(tmp_path.iterdir())
    os.environ.pop(VARIABLE)
    keep_programs()
    assert os.environ[VARIABLE] == folder


def test_what_is_set_stands_and_no_cache_is_made(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, "/elsewhere")
    keep_programs()
    assert os.environ[VARIABLE] == "/elsewhere"
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("SCIML_CACHE", str(tmp_path / "none"))
    keep_programs()
    assert VARIABLE not in os.environ and not (tmp_path / "none").exists()
