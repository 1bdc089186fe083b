"""A training that is stopped anyhow and continued ends in the same bytes as one that was not."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from training_problem import IMAGES, config, loss_step, make_model, run, weights_bytes

from sciml.runtime.errors import ConfigError, FormatError, NumericalError, ScimlError
from sciml.runtime.files import UNFINISHED
from sciml.training import RandomCrops, TrainingInterrupted, partial_folder, train
from sciml.training import state as state_module
from sciml.training.checkpoint import NAME, read_checkpoint

PROGRAM = Path(__file__).with_name("training_problem.py")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Weights, checkpoint digest and history of the run that nothing stopped."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("whole")
    model, result = run(folder)
    return weights_bytes(model), checkpoint_arrays(folder), result.history.read_text()


def checkpoint_arrays(folder):
    from sciml.runtime.files import load_tensors

    arrays, metadata = load_tensors(folder / NAME)
    return {name: array.tobytes() for name, array in arrays.items()}, metadata["state"]["step"], metadata["state"]["history"]


def same_as(whole, folder, model, result):
    assert weights_bytes(model) == whole[0]
    assert checkpoint_arrays(folder) == whole[1]
    assert result.history.read_text() == whole[2]


def program(folder, *mode, **changes):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, PROGRAM, folder, json.dumps(changes), *mode], env=environment, stderr=subprocess.PIPE
    )


def test_history_has_every_row_once(whole):
    rows = list(csv.DictReader(whole[2].splitlines()))
    assert [int(row["step"]) for row in rows] == [4, 7, 8, 12, 14, 16, 20, 21, 23]
    assert [row["step"] for row in rows if row["validation_loss"]] == ["7", "14", "21", "23"]


@pytest.mark.parametrize("stop_after", [1, 5, 6, 22])
def test_budget_stops_cleanly_and_a_larger_one_goes_on(whole, tmp_path, monkeypatch, stop_after):
    steps_taken = 0

    def step(model, clean, generator):
        nonlocal steps_taken
        steps_taken += 1
        return loss_step(model, clean, generator)

    monkeypatch.setattr(state_module.time, "process_time", lambda: 6.0 * steps_taken)  # a step takes 0.1 CPU minutes
    _, result = run(tmp_path, step=step, cpu_minutes=0.1 * stop_after - 0.05)
    assert (result.steps, result.reason) == (stop_after, "CPU budget used")
    assert result.cpu_minutes == pytest.approx(0.1 * stop_after)
    steps_taken = 0
    model, result = run(tmp_path, step=step, prefetch=0)
    assert result.reason == "all steps done"
    assert result.cpu_minutes == pytest.approx(0.1 * 23)  # accumulated over both runs
    same_as(whole, tmp_path, model, result)


def test_wall_budget(tmp_path):
    _, result = run(tmp_path, wall_minutes=1e-9)
    assert (result.steps, result.reason) == (1, "wall budget used")
    _, again = run(tmp_path, wall_minutes=1e-9)
    assert again.steps == 1


@pytest.mark.parametrize(("mode", "kept"), [(("die", "13"), 10), (("die-writing",), 5)])
def test_killed_in_the_middle(whole, tmp_path, mode, kept):
    process = program(tmp_path, *mode)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert bool(list(tmp_path.glob(".checkpoint.*"))) == (mode[0] == "die-writing")
    assert checkpoint_arrays(tmp_path)[1] == kept
    same_as(whole, tmp_path, *run(tmp_path))


def test_sigterm_writes_a_checkpoint_and_one_clear_line(whole, tmp_path):
    process = program(tmp_path, "slow", checkpoint_every_steps=1000)
    give_up = time.monotonic() + 30
    while not (tmp_path / "ready").exists() and time.monotonic() < give_up:
        time.sleep(0.01)
    process.terminate()
    _, errors = process.communicate(timeout=30)
    line = errors.decode().strip().splitlines()[-1]
    assert "stopped by SIGTERM after step" in line and str(tmp_path) in line
    assert 8 <= checkpoint_arrays(tmp_path)[1] < 23
    (tmp_path / "ready").unlink()
    same_as(whole, tmp_path, *run(tmp_path))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("at", [6, 23])
def test_signal_lets_the_step_end(whole, tmp_path, number, code, at):
    calls = 0

    def step(model, clean, generator):
        nonlocal calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), number)
        return loss_step(model, clean, generator)

    with pytest.raises(
        TrainingInterrupted, match=f"stopped by {number.name} after step {at} of 23; the same command goes on"
    ) as caught:
        run(tmp_path, step=step)
    assert caught.value.exit_code == code
    assert checkpoint_arrays(tmp_path)[1] == at
    same_as(whole, tmp_path, *run(tmp_path))


def test_signal_handlers_and_random_state_are_given_back(tmp_path):
    before, numbers = signal.getsignal(signal.SIGTERM), torch.random.get_rng_state()
    run(tmp_path, steps=5)
    assert signal.getsignal(signal.SIGTERM) is before
    assert torch.equal(torch.random.get_rng_state(), numbers)


def test_crash_while_writing_keeps_the_previous_checkpoint(whole, tmp_path, monkeypatch):
    def full(path, content):
        path.open("wb").write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    run(tmp_path, cpu_minutes=1e-9)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(ScimlError, match="No space left"):
            run(tmp_path)
    assert checkpoint_arrays(tmp_path)[1] == 1
    (tmp_path / f".{Path(NAME).stem}{UNFINISHED}half.safetensors").write_bytes(b"half")  # what SIGKILL would leave
    same_as(whole, tmp_path, *run(tmp_path))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["checkpoint.safetensors", "history.csv", "lock"]


def test_nan_names_the_step_and_keeps_the_good_checkpoint(tmp_path):
    calls = -1

    def step(model, clean, generator):
        nonlocal calls
        calls += 1
        loss, scalars = loss_step(model, clean, generator)
        return (loss * float("nan") if calls == 12 else loss), scalars

    with pytest.raises(NumericalError, match=r"loss is nan at step 12 .*keeps step 10"):
        run(tmp_path, step=step)
    assert checkpoint_arrays(tmp_path)[1] == 10


def test_infinite_gradient_is_found(tmp_path):
    def step(model, clean, generator):
        return model[0].bias.sub(model[0].bias.detach()).square().sum().sqrt(), {}

    with pytest.raises(NumericalError, match=r"gradient norm is nan at step 0 .*no checkpoint was written yet"):
        run(tmp_path, step=step)


@pytest.mark.parametrize(
    ("key", "value"), [("learning_rate", 0.02), ("steps", 24), ("ema_decay", None), ("schedule", "constant")]
)
def test_changed_setting_is_refused(tmp_path, key, value):
    run(tmp_path, steps=3, warmup_steps=0)
    with pytest.raises(ConfigError, match=f"training.{key} was .* and is now {value!r}; restore"):
        run(tmp_path, **({"steps": 3, "warmup_steps": 0} | {key: value}))


def test_changed_seed_model_or_identity_is_refused(tmp_path):
    def go(model, seed=0, identity=None):
        with RandomCrops(IMAGES, 8, 2, seed=0) as crops:
            return train(model, loss_step, crops, config(steps=5), folder=tmp_path, seed=seed, identity=identity)

    go(make_model(), identity={"data": {"kodim": "aa"}})
    wide = make_model()
    wide[0] = torch.nn.Conv2d(1, 4, 5, padding=2)
    for arguments, what in [
        ({"model": make_model(), "seed": 1, "identity": {"data": {"kodim": "aa"}}}, "seed was 0"),
        ({"model": make_model(), "identity": {"data": {"kodim": "bb"}}}, "data.kodim was 'aa'"),
        ({"model": wide, "identity": {"data": {"kodim": "aa"}}}, "model.0.weight was"),
    ]:
        before = weights_bytes(arguments["model"])
        with pytest.raises(ConfigError, match=what):
            go(**arguments)
        assert weights_bytes(arguments["model"]) == before


@pytest.mark.parametrize("damage", ["cut", "flip", "other", "empty"])
def test_damaged_checkpoint_is_refused(tmp_path, damage):
    run(tmp_path, steps=5)
    path = tmp_path / NAME
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes({"cut": content[:-100], "flip": content, "other": b"not a checkpoint", "empty": b""}[damage])
    model = make_model()
    before = weights_bytes(model)
    with pytest.raises(FormatError, match=f"{NAME} is damaged.*; remove .* to start the training anew"):
        run(tmp_path, model=model, steps=5)
    assert weights_bytes(model) == before


def test_every_kind_of_state_is_in_the_checkpoint(tmp_path):
    run(tmp_path, steps=5)
    tensors, state = read_checkpoint(tmp_path / NAME, read_identity(tmp_path))
    assert {name.split("/")[0] for name in tensors} == {"model", "average", "optimiser"}
    assert "model/1.running_mean" in tensors and "optimiser/0/exp_avg_sq" in tensors
    assert state["step"] == 5 and state["cpu_seconds"] > 0


def read_identity(folder):
    from sciml.runtime.files import load_tensors

    return load_tensors(folder / NAME)[1]["identity"]


def test_second_training_in_one_folder_is_refused(tmp_path):
    def step(model, clean, generator):
        with pytest.raises(ConfigError, match="another training is running in"):
            run(tmp_path)
        return loss_step(model, clean, generator)

    run(tmp_path, step=step, steps=1, warmup_steps=0)


def test_partial_folder_goes_on_success_alone(tmp_path):
    output = tmp_path / "new" / "weights.safetensors"
    with pytest.raises(RuntimeError), partial_folder(output) as folder:
        (folder / "kept").touch()
        raise RuntimeError
    with partial_folder(output) as folder:
        assert (folder / "kept").exists()
    assert not folder.exists()


def test_folder_that_cannot_be_made_or_locked(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ScimlError, match="cannot make the folder"), partial_folder(tmp_path / "file" / "weights"):
        pass
    (tmp_path / "lock").mkdir()
    with pytest.raises(ScimlError, match=r"cannot write .*choose another output folder"):
        run(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ScimlError, match=r"cannot (write|make)"):
        run(tmp_path / "x")
