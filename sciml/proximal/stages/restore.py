"""Stage `restore`: learned networks on the test measurements of one task, with objective, certificate and drift."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.datasets.splits import check_weight_inputs
from sciml.imaging.metrics import psnr
from sciml.imaging.operators.physics import Identity, noise_of
from sciml.imaging.tasks.measurements import Measured, Measurements
from sciml.imaging.tasks.task import Task
from sciml.proximal.config import RestoreConfig
from sciml.proximal.networks.forms import Denoiser, GuidedNetwork, load_denoiser
from sciml.proximal.networks.peers import ResidualDenoiser
from sciml.proximal.reconstruction.reconstruct import Reconstruction, reconstruct
from sciml.proximal.study.results import GUIDED, Run
from sciml.runtime.checkpoints import Partial
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import digest_file, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)
EXPERIMENTS = {"denoise": "proximal-photos", "deblur": "proximal-photos", "ct-sparse": "proximal-ct", "mri-cs": "proximal-mri"}
# the path is followed further with a tolerance that it does not meet
FURTHER = 3


def run(config: RestoreConfig, measurements: Path, weights: list[Path], output: Path, device: str = "cpu") -> list[Path]:
    """Write `reconstructions.safetensors` (tensors `<variant index>.<network>`) and `runs.json`.

    `runs.json` has a `sciml.proximal.study.results.Run` for each variant and network.

    Args:
        config: the networks by name, and how exactly they solve.
        measurements: file of the classical `measure` stage; only its test part is looked at.
        weights: one weight file a network, in the same order.
        output: output folder.
        device: `cpu` or `cuda`.

    Raises:
        ConfigError: there are not as many weight files as networks.
        DataError: a network was trained on test data of the task.
    """
    if len(weights) != len(config.networks):
        raise ConfigError(f"{len(config.networks)} networks ({', '.join(config.networks)}) need as many weight files")
    recorder = Recorder("proximal.restore", config.model_dump(mode="json"), [measurements, *weights])
    measured = Measurements.load(measurements, device)
    digests = [digest_file(path) for path in (measurements, *weights)]
    arrays: dict[str, np.ndarray] = {}
    rows: list[Run] = []
    seconds: dict[str, float] = {}
    with Partial(output, [source_digest(__name__), config.model_dump(mode="json"), digests]) as partial:
        for name, path in zip(config.networks, weights, strict=True):
            network = load_denoiser(path)
            network.to(device)
            for index, (label, task) in enumerate(measured.tasks.items()):
                check_weight_inputs(path, EXPERIMENTS[task.name])
                key = f"{index}.{name}"
                found = partial.get(key)
                if found is None:
                    begin = time.perf_counter()
                    picture, row = _restored(network, task, measured.part(label, "test"), config)
                    row = Run.model_validate({"variant": label, "order": index, "network": name, **row}).model_dump(
                        exclude_unset=True
                    )
                    found = partial.put(key, {"picture": picture}, {"row": row, "seconds": time.perf_counter() - begin})
                arrays[key] = found[0]["picture"]
                rows.append(Run.model_validate(found[1]["row"]))
                seconds[f"{label}, {name}"] = round(found[1]["seconds"] / len(arrays[key]), 3)
                log.info("%s, %s, %s: %.2f s an image", task.name, label, name, seconds[f"{label}, {name}"])
        outputs = [output / "reconstructions.safetensors", output / "runs.json"]
        save_tensors(outputs[0], arrays, {"variants": list(measured.tasks)})
        write_result(outputs[1], sorted(rows, key=lambda row: (row.order, row.network)))
    recorder.notes = {"seconds_per_image": seconds}
    recorder.write(output / "provenance.json", outputs)
    return outputs


@torch.no_grad()
def _restored(network: Denoiser, task: Task, part: Measured, config: RestoreConfig) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the pictures of one variant and the record of the run."""
    if isinstance(network, ResidualDenoiser):
        if not isinstance(task.physics, Identity):
            raise ConfigError(f"a {network.kind} network only denoises; leave it out of {task.name}")
        clean = network(part.data, noise_of(task.physics).sigma(part.data, task.physics))
        return task.picture(clean).cpu().numpy(), {"certified": False, "reason": "no proximal operator by construction"}
    curve: list[list[float]] = []

    def watch(count: int, x: Tensor, _: Tensor) -> None:
        curve.append([count, *_psnrs(task, x, part.truth)])

    found = reconstruct(
        part.data, task.physics, network, iterations=config.iterations, tolerance=config.tolerance, on_iteration=watch
    )
    row: dict[str, Any] = {
        "certified": found.certificate.certified,
        "reason": found.certificate.reason,
        "numbers": found.certificate.numbers,
        "solver": GUIDED if isinstance(network, GuidedNetwork) else found.solver,
        "gradients": found.gradients,
        "converged": found.converged,
        "monotone": _monotone(found),
        "objective": torch.stack(found.objective).sum(1).tolist(),
        "sigma": found.sigma.tolist(),
        "weight": found.weight.tolist(),
        "psnr_along": curve,
        "below_best_db": _fall(curve),
    }
    if config.drift:
        further = reconstruct(
            part.data,
            task.physics,
            found.network,
            start=found.image,
            iterations=FURTHER * found.gradients,
            tolerance=config.tolerance / 100,
        )
        final = _psnrs(task, further.image, part.truth)
        row["drift_db"] = [after - before for after, before in zip(final, _psnrs(task, found.image, part.truth), strict=True)]
    return task.picture(found.image).cpu().numpy(), row


def _psnrs(task: Task, x: Tensor, truth: Tensor) -> list[float]:
    pairs = zip(task.picture(x).cpu().numpy(), task.picture(truth).cpu().numpy(), strict=True)
    return [psnr(a[0], b[0], 1) for a, b in pairs]


def _monotone(found: Reconstruction) -> bool:
    """Return whether F never rose, up to the rounding of its type."""
    values = torch.stack(found.objective)
    return bool((values[1:] - values[:-1] <= 16 * torch.finfo(values.dtype).eps * values[:-1].abs()).all())


def _fall(curve: list[list[float]]) -> list[float]:
    """Return by how much each image ends below its best iterate, in dB."""
    table = np.array(curve)[:, 1:]
    return (table.max(0) - table[-1]).tolist()
