"""GPUs are claimed by one process each, with pretend GPUs; run in fresh processes, where torch is not loaded."""

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from sciml.runtime.devices import claim_gpus, keep_freed_memory, set_threads, thread_count
from sciml.runtime.errors import ConfigError, ScimlError

HOLD = """
import os, sys, time
from sciml.runtime.devices import claim_gpus
folder, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with claim_gpus(count, lock_folder=folder) as claim:
    start = time.monotonic()
    print("claimed", os.environ["CUDA_VISIBLE_DEVICES"], os.environ["CUDA_DEVICE_ORDER"], flush=True)
    time.sleep(seconds)
    print("held", start, time.monotonic(), *claim.gpus, flush=True)
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that gives the machine so many pretend GPUs; the claiming code runs as on a real one."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    for name in ("torch", "jax"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")

    def give(count, text=None, code=0):
        lines = text if text is not None else "".join(f"GPU {k}: Pretend (UUID: GPU-{k})\\n" for k in range(count))
        script = tools / "nvidia-smi"
        script.write_text(f"#!/bin/sh\nprintf '{lines}'\nexit {code}\n")
        script.chmod(0o755)
        return tmp_path / "locks"

    return give


def start(folder, count, seconds):
    command = [sys.executable, "-c", HOLD, str(folder), str(count), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def test_never_two_on_one_card(machine):
    folder = machine(2)
    processes = [start(folder, count, 0.2) for count in (1, 2, 1, 2, 1, 1)]
    held, waited = [], 0
    for process in processes:
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        waited += err.count("waiting for")
        assert err.count("\n") <= 1
        _, begin, end, *cards = out.splitlines()[1].split()
        held += [(card, float(begin), float(end)) for card in cards]
    assert waited
    assert len(held) == 8
    for card in "01":
        spans = sorted((begin, end) for name, begin, end in held if name == card)
        assert spans and all(first[1] <= second[0] for first, second in pairwise(spans))


def test_a_killed_process_frees_its_card(machine):
    folder = machine(1)
    holder = start(folder, 1, 60)
    assert holder.stdout.readline() == "claimed 0 PCI_BUS_ID\n"
    with pytest.raises(ScimlError, match=r"no 1 of the GPUs 0 became free in 0\.2 s"):
        claim_gpus(1, lock_folder=folder, timeout_seconds=0.2)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with claim_gpus(1, lock_folder=folder, timeout_seconds=5) as claim:
        assert claim.gpus == ("0",) and claim.claimed


def test_environment_inside_and_after(machine):
    folder = machine(3)
    with claim_gpus(1, lock_folder=folder), pytest.raises(ConfigError):
        claim_gpus(2, lock_folder=folder)  # this process sees one GPU now
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    first = claim_gpus(2, gpus=[2, 1], lock_folder=folder)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,1"
    first.release()
    first.release()
    with claim_gpus(3, lock_folder=folder, timeout_seconds=0) as claim:
        assert claim.gpus == ("0", "1", "2")


def test_all_or_none(machine, monkeypatch):
    folder = machine(2)
    with claim_gpus(1, lock_folder=folder):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        with pytest.raises(ScimlError, match="became free"):
            claim_gpus(2, lock_folder=folder, timeout_seconds=0)
        with claim_gpus(1, lock_folder=folder, timeout_seconds=0) as claim:  # the failed one kept nothing
            assert claim.gpus == ("1",)


def test_scheduler_choice_is_respected(machine, monkeypatch):
    folder = machine(8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-7")
    with claim_gpus(1, lock_folder=folder) as claim:
        assert claim.gpus == ("5", "GPU-7") and not claim.claimed
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "5,GPU-7"
    assert not folder.exists()
    with pytest.raises(ConfigError, match="asked for 3 GPUs, CUDA_VISIBLE_DEVICES='5,GPU-7' lists 2"):
        claim_gpus(3, lock_folder=folder)


@pytest.mark.parametrize("value", ["", "-1", "NoDevFiles"])
def test_scheduler_without_gpus(machine, monkeypatch, value):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    with pytest.raises(ConfigError, match="lists 0; ask for fewer, or run on the CPU"):
        claim_gpus(1)


def test_zero_hides_all(machine, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with claim_gpus(0) as claim:
        assert claim.gpus == () and os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"


@pytest.mark.parametrize(("text", "code"), [("", 0), ("No devices were found", 0), ("NVIDIA-SMI has failed", 9)])
def test_no_card_says_how_to_run_on_the_cpu(machine, text, code):
    machine(0, text, code)
    with pytest.raises(ConfigError, match=r"no GPU found: nvidia-smi says .* run on the CPU"):
        claim_gpus(1)


def test_no_driver_says_how_to_run_on_the_cpu(machine, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="nvidia-smi is not installed; run on the CPU"):
        claim_gpus(1)


def test_wrong_counts(machine):
    folder = machine(2)
    with pytest.raises(ConfigError, match="asked for 3 GPUs, this machine has 2"):
        claim_gpus(3, lock_folder=folder)
    with pytest.raises(ConfigError, match="expected 0 or more"):
        claim_gpus(-1)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_too_late_after_a_framework(machine, monkeypatch, name):
    folder = machine(1)
    monkeypatch.setitem(sys.modules, name, object())
    with pytest.raises(ScimlError, match=f"before {name} is imported"):
        claim_gpus(1, lock_folder=folder)


def test_lock_folder_that_cannot_be_made(machine, tmp_path):
    machine(1)
    (tmp_path / "file").touch()
    with pytest.raises(ScimlError, match="cannot make the lock"):
        claim_gpus(1, lock_folder=tmp_path / "file" / "locks")


def test_import_loads_no_framework():
    code = "import sys, sciml.runtime.devices; sys.exit(bool({'torch', 'jax', 'numpy'} & set(sys.modules)))"
    begin = time.monotonic()
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize(("value", "expected"), [("3", 3), ("4,2", 4), (" 2 ", 2), ("0", None), ("many", None), ("", None)])
def test_thread_count(monkeypatch, value, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert thread_count() == (expected or len(os.sched_getaffinity(0)))


def test_set_threads(monkeypatch):
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    for name in names:
        monkeypatch.setenv(name, "9")
    set_threads(2)
    assert {os.environ[name] for name in names} == {"2"} and thread_count() == 2
    with pytest.raises(ConfigError, match="asked for 0 threads"):
        set_threads(0)


def test_keeping_freed_memory_never_fails(monkeypatch):
    keep_freed_memory()
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    keep_freed_memory()
