"""Stage `evaluate`: every closure on parameters and initial states that none of them was trained on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sciml.active_fluid.closures.closure import AnyClosure, BinghamClosure, QuadraticClosure, kept
from sciml.active_fluid.closures.load import load_closure
from sciml.active_fluid.closures.second import SecondOrderClosure
from sciml.active_fluid.config import EvaluateConfig
from sciml.active_fluid.fields.spectra import energy_spectrum
from sciml.active_fluid.solvers.trajectories import load_trajectories
from sciml.active_fluid.study.comparison import a_priori, compared, run_beside
from sciml.active_fluid.study.fourth_moment import curves
from sciml.active_fluid.study.results import CUT, Score, Scores
from sciml.active_fluid.theory.states import resampled
from sciml.runtime.checkpoints import Partial
from sciml.runtime.files import digest_file, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)

SHOWN_TIMES = 15


def run(config: EvaluateConfig, test: Path, weights: Mapping[str, Sequence[Path]], output: Path) -> list[Path]:
    """Write `scores.json`, a row for each run, closure and seed, and `fields.safetensors` with one run of each closure.

    The scores also hold the fourth moment over the order, of the first training of each closure.

    Args:
        config: grid, times and threshold.
        test: `trajectories.safetensors` of the `generate` stage.
        weights: by closure, the weight files of its seeds.
        output: folder of the artefacts.
    """
    files = [path for paths in weights.values() for path in paths]
    recorder = Recorder("active_fluid.evaluate", config.model_dump(mode="json"), [test, *files])
    closures: list[tuple[str, int, AnyClosure]] = [
        ("quadratic", 0, QuadraticClosure()),
        ("bingham", 0, BinghamClosure()),
        ("burg", 0, SecondOrderClosure.burg()),
    ]
    closures += [(name, n, load_closure(path)) for name, paths in weights.items() for n, path in enumerate(paths)]
    truths = load_trajectories(test)
    identity = [source_digest(__name__), config.model_dump(mode="json"), [digest_file(path) for path in (test, *files)]]
    rows: list[Score] = []
    cut: list[Score] = []
    fields: dict[str, np.ndarray] = {}
    with Partial(output, identity) as partial:
        for number, truth in enumerate(truths):
            for name, seed, model in (*closures, *((str(modes), 0, modes) for modes in CUT)):
                part = partial.get(f"{number} {name} {seed}")
                if part is None:
                    found = run_beside(model, truth, config.points, config.time_step)
                    spectra = [
                        energy_spectrum(v, float(truth.parameters.length)) for v in (found.velocity[-1], _flow(truth, config))
                    ]
                    row = {
                        "place": number,
                        **{key: truth.parameters.as_dict()[key] for key in ("alpha", "zeta")},
                        "initial": truth.seed,
                        "closure": name,
                        "seed": seed,
                        "closure_error": a_priori(model, truth),
                        **compared(found, truth, config.threshold),
                        "spectrum": [[float(f"{value:.6g}") for value in one.power.ravel()] for one in spectra],
                        "wave_numbers": [round(float(k), 6) for k in spectra[0].k],
                    }
                    hidden = number != config.shown or seed or isinstance(model, int)
                    shown = {} if hidden else _shown(found.m1, found.vorticity)
                    part = partial.put(f"{number} {name} {seed}", shown, row)
                (cut if isinstance(model, int) else rows).append(Score.model_validate(part[1]))
                fields |= {f"{name}.{key}": array for key, array in part[0].items()}
            log.info("%s: %s", truth.name, ", ".join(f"{r.closure} {r.first_above:.2f}" for r in rows if r.place == number))
        one = truths[config.shown]
        fields |= {f"kinetic.{key}": array for key, array in _shown(one.m1, one.vorticity, config.points).items()}
        shown_times = one.times[_frames(len(one.times))]
        outputs = [output / "scores.json", output / "fields.safetensors"]
        first_order: dict[str, Any] = {name: closure for name, seed, closure in closures if not seed and kept(closure) == 1}
        moments = curves(first_order, truths)
        times = truths[0].times.tolist()
        write_result(
            outputs[0], Scores(times=times, threshold=config.threshold, rows=rows, fourth_moment=moments, cut=tuple(cut))
        )
        notes = {"place": one.name, "times": shown_times.tolist(), "length": float(one.parameters.length)}
        save_tensors(outputs[1], fields, notes)
    recorder.write(output / "provenance.json", outputs)
    return outputs


def _flow(truth, config: EvaluateConfig) -> np.ndarray:
    return resampled(truth.velocity[-1].astype(np.complex128), config.points)


def _frames(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, SHOWN_TIMES).round().astype(int))


def _shown(m1: np.ndarray, vorticity: np.ndarray, points: int | None = None) -> dict[str, np.ndarray]:
    """Return a few frames in single precision, m1 as real and imaginary part."""
    frames = _frames(len(m1))
    chosen: np.ndarray = m1[frames]
    turning: np.ndarray = vorticity[frames]
    if points is not None:
        chosen, turning = resampled(chosen, points), np.real(resampled(turning.astype(np.complex128), points))
    return {"m1": np.stack([np.real(chosen), np.imag(chosen)], -1).astype(np.float32), "vorticity": turning.astype(np.float32)}
