"""What `sciml doctor` finds: memory, caches, runs, tools, and how long the demo takes."""

from __future__ import annotations

import re
import subprocess

import pytest

from sciml import doctor
from sciml.runtime import alive


def found(look, subject):
    return next((finding for finding in look() if finding.subject == subject), None)


def test_memory_is_judged_by_what_is_free(monkeypatch):
    total, free = doctor.memory_gib()
    assert total is not None and free is not None and 0 < free <= total
    for memory, verdict in (((8.0, 6.0), "good"), ((8.0, 1.0), "note"), ((2.0, None), "note"), ((8.0, None), "good")):
        monkeypatch.setattr(doctor, "memory_gib", lambda memory=memory: memory)
        assert found(doctor._memory, "memory").verdict == verdict
    monkeypatch.setattr(doctor, "memory_gib", lambda: (None, None))
    assert found(doctor._memory, "memory") is None


def test_the_time_of_the_demo_is_an_estimate_of_this_machine(monkeypatch):
    minutes = []
    for cores in ({0}, {0, 1, 2, 3}):
        monkeypatch.setattr(doctor.os, "sched_getaffinity", lambda process, cores=cores: cores)
        text = found(doctor._demo_time, "time of the demo").detail
        minutes.append(int(re.fullmatch(r"about (\d+) minutes: an estimate from \d cores? .*", text)[1]))
    assert 5 <= minutes[1] < minutes[0] < 600


def test_caches_that_cannot_be_written_are_told(tmp_path, monkeypatch):
    """A file stands where a folder must be: nobody can write there, root neither."""
    sealed = tmp_path / "sealed"
    sealed.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(sealed))
    monkeypatch.delenv("SCIML_CACHE", raising=False)
    home, cache = found(doctor._home, "home"), found(doctor._home, "cache")
    assert home.verdict == "note" and "XDG_CACHE_HOME" in home.advice and cache.verdict == "missing"
    assert list(doctor._data()) == [] and found(doctor._disk, "disk of the cache") is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "made"))
    assert found(doctor._home, "home") is None and found(doctor._home, "cache").verdict == "good"
    monkeypatch.setattr(doctor, "_sealed", lambda folder: True)
    assert found(doctor._home, "cache").verdict == "note" and "is used" in found(doctor._home, "cache").advice


def test_locks_that_a_killed_run_left_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert found(doctor._runs, "run here") is None
    (tmp_path / alive.LOCKS).mkdir(parents=True)
    (tmp_path / alive.LOCKS / "0.input.lock").touch()
    assert "left its locks" in found(doctor._runs, "run here").detail
    monkeypatch.setattr(alive, "_held", {})
    alive.join()
    assert "at work: process" in found(doctor._runs, "run here").detail
    alive._held.popitem()[1].close()


def test_a_framework_that_does_not_answer_is_told(monkeypatch):
    def slow(*words, timeout, **rest):
        raise subprocess.TimeoutExpired(words, timeout)

    monkeypatch.setattr(doctor.subprocess, "run", slow)
    monkeypatch.setattr(doctor, "find_spec", lambda name: object())
    assert [finding.verdict for finding in doctor._frameworks()] == ["note", "note"]


@pytest.mark.parametrize("name", ["make", "git"])
def test_absent_tools_are_told(monkeypatch, name):
    monkeypatch.setattr(doctor.shutil, "which", lambda program: None)
    assert found(doctor._tools, name).verdict == "note"
