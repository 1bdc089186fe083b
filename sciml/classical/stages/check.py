"""Stage `check`: certificates of the operators, and the filtered back-projection against scikit-image on a real slice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.transform import iradon, radon
from torch import Tensor

from sciml.classical.config import REFERENCE_SLICE, REFERENCE_VIEWS, CheckConfig
from sciml.datasets.loaders import load, window_hu
from sciml.datasets.manifest import is_present, local_path, record, tier_ids
from sciml.imaging.metrics import psnr, spread
from sciml.imaging.operators.tomography import ParallelBeam
from sciml.imaging.priors import TotalVariation
from sciml.imaging.solvers.classical import non_local_means, tv
from sciml.imaging.tasks.cases import cases
from sciml.imaging.tasks.records import BackProjection, Checks, Denoised, OperatorCheck, Quality
from sciml.imaging.tasks.task import TASKS, Task, task
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds

DENOISE_SIZE = (256, 256)
ORACLE_WEIGHTS = (0.07, 0.08, 0.1, 0.12)


def run(config: CheckConfig, output: Path) -> list[Path]:
    """Write `checks.json`: pass/fail checks of every operator and the FBP reference figures.

    Args:
        config: size, seed and data tier.
        output: output folder.
    """
    name, index = REFERENCE_SLICE
    available = name in tier_ids(config.data_tier) and is_present(record(name))
    recorder = Recorder("imaging.check", config.model_dump(mode="json"), [local_path(name)] if available else [])
    seeds = Seeds(config.seed)
    checks = [check for kind in TASKS for check in operator_checks(task(kind, config.size, config.seed), seeds)]
    checks.append(radon_check(config.size))
    checks.append(prox_check(seeds))
    reference = None
    if available:
        picture = window_hu(load(name).array[index]).astype(np.float32)
        reference = [fbp_reference(picture, views) for views in REFERENCE_VIEWS]
    path = output / "checks.json"
    denoised = denoise_reference(config, seeds) if config.size == DENOISE_SIZE else None
    slice_name = f"{name}[{index}]"
    found = Checks(checks=checks, fbp_reference=reference, fbp_reference_data=slice_name, denoise_reference=denoised)
    write_result(path, found)
    recorder.seeds = seeds.used
    recorder.write(output / "provenance.json", [path])
    return [path]


def _check(name: str, value: float, tolerance: float, explanation: str) -> OperatorCheck:
    passed = bool(value <= tolerance)
    return OperatorCheck(name=name, value=value, tolerance=tolerance, passed=passed, explanation=explanation)


def operator_checks(built: Task, seeds: Seeds) -> Iterator[OperatorCheck]:
    """Yield adjointness, linearity and norm of a task's physics on random images."""
    physics = built.physics
    generator = torch.Generator().manual_seed(seeds("check", built.name))
    like = physics.A_adjoint(physics.A(torch.zeros(1, 2 if built.name == "mri-cs" else 1, *built.canvas)))
    u, v = (torch.randn(like.shape, generator=generator) for _ in range(2))
    y = torch.randn(physics.A(u).shape, generator=generator)
    yield _check(f"{built.name}: adjoint", adjoint_gap(physics, u, y), 1e-5, "|<Au, y> - <u, A^T y>| / (|Au| |y|)")
    combined = physics.A(2 * u - 3 * v) - (2 * physics.A(u) - 3 * physics.A(v))
    yield _check(
        f"{built.name}: linearity", float(combined.norm() / physics.A(u).norm()), 1e-5, "|A(2u - 3v) - 2Au + 3Av| / |Au|"
    )
    norm = operator_norm(physics, u)
    yield _check(f"{built.name}: norm", norm, 1 + 1e-3, "largest singular value, by power iteration, at most 1")
    if isinstance(physics, ParallelBeam):
        yield _check(f"{built.name}: unit norm", 1 - norm, 5e-3, "1 - largest singular value: the scale is right")


def adjoint_gap(physics: Any, x: Tensor, y: Tensor) -> float:
    """Return |<Ax, y> - <x, A^T y>| / (|Ax| |y|), summed in float64."""
    forward, back = physics.A(x), physics.A_adjoint(y)
    gap = (forward.double() * y.double()).sum() - (x.double() * back.double()).sum()
    return float(gap.abs() / (forward.double().norm() * y.double().norm()))


def operator_norm(physics: Any, x: Tensor, iterations: int = 30) -> float:
    """Return the largest singular value of A, by power iteration on A^T A; never above the true one."""
    for _ in range(iterations):
        x = physics.A_adjoint(physics.A(x / x.norm()))
    return math.sqrt(float(x.norm()))


def denoise_reference(config: CheckConfig, seeds: Seeds) -> Denoised | None:
    """Return PSNR figures of the nine test crops at sigma 0.1: total variation with the truth's best weight, default means.

    None where fewer than nine photographs are there.
    """
    found = cases("imaging-photos", "test", 9, DENOISE_SIZE, config.data_tier)
    if len(found) < 9:
        return None
    built = task("denoise", DENOISE_SIZE, config.seed)
    truth = torch.from_numpy(np.stack([case.array for case in found]))[:, None]
    y = built.measure(truth, torch.Generator().manual_seed(seeds("check", "denoise")))

    def scores(estimate: Tensor) -> np.ndarray:
        return np.array([psnr(a[0], b[0], 1) for a, b in zip(built.picture(estimate).numpy(), truth.numpy(), strict=True)])

    oracle = np.max([scores(tv(y, built.physics, weight)) for weight in ORACLE_WEIGHTS], axis=0)
    found = {"tv": oracle, "nlm": scores(non_local_means(y, built.physics))}
    return Denoised(**{name: Quality.model_validate(spread(values.tolist())) for name, values in found.items()})


def radon_check(size: tuple[int, int]) -> OperatorCheck:
    """Compare the projector with scikit-image's `radon` on smooth blobs (both are discretisations; 0.5 % is expected)."""
    side = min(size)
    grid = np.linspace(-1, 1, side)
    blobs = ((0.3, 0.1, 0.2), (-0.3, -0.4, 0.1))
    image = np.sum([np.exp(-((grid[:, None] - a) ** 2 + (grid - b) ** 2) / (2 * s**2)) for a, b, s in blobs], axis=0)
    angles = np.arange(0, 180, 7.5)
    theirs = radon(image, angles, circle=False)
    physics = ParallelBeam((side, side), tuple(angles))
    ours = physics.A(torch.from_numpy(image.astype(np.float32))[None, None])[0, 0].numpy().T * physics.scale
    gap = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
    return _check("ct: agreement with scikit-image radon", gap, 5e-3, "|A x - radon(x)| / |radon(x)| on smooth blobs, 24 angles")


def prox_check(seeds: Seeds) -> OperatorCheck:
    """Check that no competitor beats the total variation prox: the largest gain found, which must not be positive."""
    generator = torch.Generator().manual_seed(seeds("check", "prox"))
    prior, weight = TotalVariation(iterations=2000, tolerance=1e-12), 0.3
    v = torch.randn(1, 1, 16, 16, generator=generator, dtype=torch.float64)
    best = prior.prox(v, weight)

    def cost(x: Tensor) -> Tensor:
        return 0.5 * (x - v).square().sum((1, 2, 3)) + weight * prior.value(x)

    scales = 10 ** torch.linspace(-3, 0.5, 200, dtype=torch.float64).reshape(-1, 1, 1, 1)
    rivals = best + scales * torch.randn(200, 1, 16, 16, generator=generator, dtype=torch.float64)
    gain = float((cost(best) - cost(rivals)).max())
    return _check("tv: prox optimality", gain, 1e-9, "largest cost advantage of 200 random competitors")


def fbp_reference(picture: np.ndarray, views: int) -> BackProjection:
    """Return the PSNR in dB of noiseless filtered back-projection by scikit-image and by this package's operator."""
    angles = np.linspace(0, 180, views, endpoint=False)
    theirs = iradon(radon(picture, angles, circle=False), angles, circle=False, output_size=len(picture)).clip(0, 1)
    physics = ParallelBeam(picture.shape, tuple(angles))
    ours = physics.fbp(physics.A(torch.from_numpy(picture)[None, None]))[0, 0].numpy().clip(0, 1)
    theirs_db = psnr(theirs.astype(np.float32), picture, 1)
    return BackProjection(views=views, scikit_image_db=theirs_db, ours_db=psnr(ours, picture, 1))
