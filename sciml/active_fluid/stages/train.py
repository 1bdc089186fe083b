"""Stage `train`: one closure from kinetic trajectories, for several seeds."""

from __future__ import annotations

import csv
import io
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from sciml.active_fluid.closures.neural import NeuralClosure
from sciml.active_fluid.closures.own import OwnClosure
from sciml.active_fluid.closures.second import SecondOrderClosure
from sciml.active_fluid.config import TrainConfig
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.learning.discrepancy import error_table
from sciml.active_fluid.learning.regression import Points, chosen_points, closure_errors, train_offline
from sciml.active_fluid.learning.rollout import Horizon, RolloutPlan, State, train_rollout
from sciml.active_fluid.learning.second_order import fit_second_order, second_order_errors
from sciml.active_fluid.solvers.trajectories import Trajectory, load_trajectories
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import digest_file, write_text
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest
from sciml.training.checkpoint import NAME, partial_folder, read_checkpoint, write_checkpoint
from sciml.training.weight_files import write_weight_file

log = logging.getLogger(__name__)

CHECKPOINT_EVERY = 10
BOXED = ("alpha", "zeta", "beta", "d_t", "d_r")


def run(config: TrainConfig, train: Path, validation: Path, output: Path) -> list[Path]:
    """Write `<seed number>.safetensors` for each seed, and `history.csv`.

    First offline, point by point; then, where the settings name horizons, through the solver. The training through the solver
    keeps a checkpoint every few updates and goes on from it to the same weights.

    Args:
        config: the network, both trainings, grid and seeds.
        train: `trajectories.safetensors` of the `generate` stage.
        validation: the same, of the points that validate.
        output: folder of the artefacts.

    Raises:
        ConfigError: steps and saved times do not fit.
    """
    between = round(config.save_every / config.time_step)
    if not np.isclose(between * config.time_step, config.save_every):
        raise ConfigError(f"{config.save_every} between saved times is no whole number of steps of {config.time_step}")
    recorder = Recorder("active_fluid.train", config.model_dump(mode="json"), [train, validation])
    inputs = {"kinetic-train": digest_file(train)}
    code = source_digest(__name__)
    learned, judged = load_trajectories(train), load_trajectories(validation)
    seeds, outputs, rows = Seeds(config.seed), [], []
    box = tuple((name, *_range([one.parameters.as_dict()[name] for one in learned])) for name in BOXED)
    with working("single"):
        points = chosen_points(learned, config.places, seeds("points", "train"))
        unseen = chosen_points(judged, config.places, seeds("points", "validation"))
        for number in range(config.seeds):
            path = output / f"{number}.safetensors"
            identity = {"config": config.model_dump(mode="json"), "inputs": inputs, "code": code, "number": number}
            begin = time.process_time()
            if config.kept > 1:
                closure, history = _fitted(config, number, seeds, learned, judged, box)
            else:
                trained, history = _trained(config, number, seeds, learned, points, unseen, between, path, identity)
                sizes = error_table(trained, learned)
                closure = (
                    NeuralClosure(trained.matrices, trained.offsets, config.name, box, trained.inputs, sizes)
                    if isinstance(trained, NeuralClosure)
                    else OwnClosure(trained.rule, trained.entry, config.name, box)
                )
            write_weight_file(
                path,
                closure.arrays(),
                config=config,
                seed=config.seed,
                inputs=inputs,
                source_digest=code,
                cpu_minutes=(time.process_time() - begin) / 60,
                extra=closure.notes(),
            )
            rows += history
            outputs.append(path)
    table = output / "history.csv"
    text = io.StringIO()
    writer = csv.DictWriter(text, ["seed", "phase", "step", "loss", "validation_closure_error"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(table, text.getvalue())
    recorder.write(output / "provenance.json", [*outputs, table])
    return [*outputs, table]


def _fitted(
    config: TrainConfig,
    number: int,
    seeds: Seeds,
    learned: Sequence[Trajectory],
    judged: Sequence[Trajectory],
    box: tuple[tuple[str, float, float], ...],
) -> tuple[SecondOrderClosure, list[dict]]:
    """Return the closure of second order of one seed, which chooses its places, and a history of one row."""
    found = fit_second_order(learned, config.places, seeds("places", str(number)))
    errors = [
        float(np.mean(second_order_errors(found, runs, config.places, seeds("points", name))))
        for name, runs in (("train", learned), ("validation", judged))
    ]
    log.info("seed %d: error of h* m3 %.4f, on validation runs %.4f", number, *errors)
    row = {
        "seed": number,
        "phase": "fit",
        "step": 0,
        "loss": f"{errors[0] ** 2:.6g}",
        "validation_closure_error": f"{errors[1]:.5f}",
    }
    return SecondOrderClosure(found.numbers, config.name, box), [row]


def _trained(
    config: TrainConfig,
    number: int,
    seeds: Seeds,
    learned: Sequence[Trajectory],
    points: Points,
    unseen: Points,
    between: int,
    path: Path,
    identity: dict,
) -> tuple[NeuralClosure | OwnClosure, list[dict]]:
    """Return the closure of one seed and its history."""
    rows: list[dict] = []

    def note(phase: str, step: int, closure: NeuralClosure | OwnClosure, loss: float) -> None:
        error = float(jnp.mean(closure_errors(closure, unseen)))
        rows.append(
            {"seed": number, "phase": phase, "step": step, "loss": f"{loss:.6g}", "validation_closure_error": f"{error:.5f}"}
        )
        log.info("seed %d, %s, step %d: loss %.3g, validation error of h* m2 %.4f", number, phase, step, loss, error)

    seed = seeds("weights", config.name, str(number))
    closure: NeuralClosure | OwnClosure = (
        OwnClosure.create(config.entry, seed % 2**31)
        if config.entry
        else NeuralClosure.create(seed, config.width, config.depth, config.inputs)
    )
    blocks = lambda step, now, loss: note("offline", step, now, loss) if step % 1000 == 0 else None  # noqa: E731
    closure = train_offline(closure, points, config.steps, seeds("batches", str(number)), config.rate, on_block=blocks)
    if not config.horizons or isinstance(closure, OwnClosure):
        return closure, rows
    horizons = [Horizon(each.times, each.updates, each.rate) for each in config.horizons]
    plan = RolloutPlan(horizons, config.time_step, between, config.points, config.batch)
    with partial_folder(path) as partial:
        losses: list[float] = []

        def keep(state: State, loss: float) -> None:
            losses.append(loss)
            if state.updates % CHECKPOINT_EVERY == 0:
                note("rollout", state.updates, state.closure, float(np.mean(losses[-CHECKPOINT_EVERY:])))
                leaves = {f"{n:03}": np.asarray(leaf) for n, leaf in enumerate(jax.tree.leaves(state[1:]))}
                write_checkpoint(partial / NAME, leaves, {"updates": state.updates, "rows": rows}, identity)

        def resume(state: State) -> State:
            if not (partial / NAME).is_file():
                return state
            leaves, saved = read_checkpoint(partial / NAME, identity)
            rows[:] = saved["rows"]
            found = [jnp.asarray(leaves[name]) for name in sorted(leaves)]
            shapes = [leaf.shape for leaf in jax.tree.leaves(state[1:])]
            parts = jax.tree.unflatten(
                jax.tree.structure(state[1:]), [leaf.reshape(shape) for leaf, shape in zip(found, shapes, strict=True)]
            )
            log.info("seed %d: goes on after update %d", number, saved["updates"])
            return State(saved["updates"], *parts)

        anchor = (points, config.anchor)
        return train_rollout(closure, learned, anchor, plan, seeds("windows", str(number)), keep, resume), rows


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)
