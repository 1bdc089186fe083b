"""Stage `photo`: kernel and picture from a photograph alone: a real one, and one of a camera that turned, with known truth."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

import numpy as np
import torch
from skimage.measure import blur_effect

from sciml.datasets.loaders import load_photo
from sciml.datasets.manifest import local_path
from sciml.deblurring.config import TURNED, PhotoConfig
from sciml.deblurring.correction.estimate import estimate_kernel
from sciml.deblurring.restoration.deblur import deblur
from sciml.deblurring.settings.grid import parted
from sciml.deblurring.study.metrics import best_shift_psnr
from sciml.deblurring.study.results import PhotoResult, PhotoScores, TurnedResult
from sciml.deblurring.study.scores import display
from sciml.deblurring.study.turning import shaken, turning_shake
from sciml.runtime.files import save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result

# of the camera that turned: the shake on so many pixels, the support of its estimate, noise in linear light
TURNED_SIZE, TURNED_SUPPORT, TURNED_NOISE = 13, 21, 0.01
TURNED_MARGIN = 20
log = logging.getLogger(__name__)


def run(config: PhotoConfig, output: Path, device: str = "cpu") -> list[Path]:
    """Write `pictures.safetensors`: display values of every cell and its kernel, and `photo.json`: what was done and measured.

    Of the real photograph there is no truth. Each row holds the misfit in units of the noise, the held-out misfit relative to
    that of the estimated kernel, and the blur index of Crete et al. 2007 from 0 (sharp) to 1.

    Args:
        config: photograph, size of the kernel and cells.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    photographs = [config.photograph, TURNED]
    recorder = Recorder("deblurring.photo", config.model_dump(mode="json"), [local_path(name) for name in photographs])
    light = load_photo(config.photograph, reduction=config.reduction, grey=True, linear=True).array.astype(np.float32)
    begin = time.perf_counter()
    y = torch.from_numpy(light)[None, None]
    estimate = estimate_kernel(y, config.kernel_size)
    log.info("kernel estimated in %.1f s", time.perf_counter() - begin)
    arrays = {"blurred": display(light), "kernel.estimated": estimate.kernel}
    rows = [PhotoScores(cell="blurred", blur_index=_blur_index(arrays["blurred"]))]
    for name in config.cells:
        prior, model = parted(name)
        begin = time.perf_counter()
        found = deblur(y[0].to(device), estimate.kernel, prior=prior, error=model, seed=config.seed)  # pyright: ignore[reportArgumentType]
        image = display(np.asarray(torch.as_tensor(found.image).cpu())[0])
        arrays |= {f"image.{name}": image, f"kernel.{name}": found.kernel}
        step = found.step
        rows.append(
            PhotoScores(
                cell=name,
                blur_index=_blur_index(image),
                misfit=found.misfit,
                held_out=1.0 if step is None or not step.corrected_by else 1 - step.gain,
                noise=found.noise_std,
                seconds=time.perf_counter() - begin,
                sentences=tuple(found.sentences),
                warnings=tuple(found.warnings),
            )
        )
        log.info("%s: %.1f s", name, rows[-1].seconds)
    turned, more = _turned(config)
    arrays |= more
    outputs = [output / "pictures.safetensors", output / "photo.json"]
    save_tensors(outputs[0], arrays, {"photograph": config.photograph, "cells": list(config.cells)})
    write_result(outputs[1], PhotoResult(photograph=config.photograph, notes=list(estimate.notes), rows=rows, turned=turned))
    recorder.notes = {"data": photographs}
    recorder.write(output / "provenance.json", outputs)
    return outputs


def _turned(config: PhotoConfig) -> tuple[TurnedResult, dict[str, np.ndarray]]:
    """Return what is made of a camera that turned, and its pictures in display values and kernels at 3 x 3 places."""
    scene = load_photo(TURNED, reduction=config.reduction, grey=True, linear=True).array.astype(np.float64)
    height, width = (length - 2 * TURNED_MARGIN for length in scene.shape)
    truth = scene[TURNED_MARGIN : TURNED_MARGIN + height, TURNED_MARGIN : TURNED_MARGIN + width]
    generator = np.random.default_rng(config.seed)
    shake = turning_shake(TURNED_SIZE, TURNED_SIZE / 2, math.hypot(height, width) / 2, generator)
    y = shaken(scene, shake, (height, width)) + TURNED_NOISE * generator.normal(size=(height, width))
    light = torch.from_numpy(y.astype(np.float32))
    begin = time.perf_counter()
    estimate = estimate_kernel(light[None, None], TURNED_SUPPORT, rotation=True)
    assert estimate.shake is not None
    single = estimate_kernel(light[None, None], TURNED_SUPPORT).kernel
    pictures = {"blurred": display(light.numpy())}
    for name, kernel in {"one kernel": single, "poses": estimate.shake, "true poses": shake}.items():
        pictures[name] = display(np.asarray(deblur(light, kernel, error="none").image))
    log.info("a camera that turned: %.1f s", time.perf_counter() - begin)
    sharp = display(truth.astype(np.float32))
    scores = {name: best_shift_psnr(picture, sharp, reach=8, border=14).psnr for name, picture in pictures.items()}
    size = shake.size(height, width)
    arrays = {f"turned.{name}": picture for name, picture in pictures.items()}
    arrays |= {
        f"turned.kernels.{name}": one.grid((height, width), size) for name, one in (("found", estimate.shake), ("true", shake))
    }
    degrees = (math.degrees(one.turn) for one in (shake, estimate.shake))
    found = TurnedResult(
        photograph=TURNED,
        turn_degrees=next(degrees),
        found_degrees=next(degrees),
        agreement=estimate.agreement,
        psnr_db=scores,
    )
    return found, arrays


def _blur_index(image: np.ndarray) -> float:
    return float(np.asarray(blur_effect(image)))
