"""Stage `photo`: a real photograph with a blur that nobody knows: kernel and picture from the photograph alone."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
import torch
from skimage.measure import blur_effect

from sciml.datasets.loaders import load_photo
from sciml.datasets.manifest import local_path
from sciml.deblurring.config import PhotoConfig
from sciml.deblurring.correction.estimate import estimate_kernel
from sciml.deblurring.restoration.deblur import deblur
from sciml.deblurring.settings.grid import parted
from sciml.deblurring.study.results import PhotoResult, PhotoScores
from sciml.deblurring.study.scores import display
from sciml.runtime.files import save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result

log = logging.getLogger(__name__)


def run(config: PhotoConfig, output: Path, device: str = "cpu") -> list[Path]:
    """Write `pictures.safetensors`: display values of every cell and its kernel, and `photo.json`: what was done and measured.

    There is no truth. Each row holds the misfit in units of the noise, the held-out misfit relative to that of the estimated
    kernel, and the blur index of Crete et al. 2007 from 0 (sharp) to 1.

    Args:
        config: photograph, size of the kernel and cells.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    recorder = Recorder("deblurring.photo", config.model_dump(mode="json"), [local_path(config.photograph)])
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
    outputs = [output / "pictures.safetensors", output / "photo.json"]
    save_tensors(outputs[0], arrays, {"photograph": config.photograph, "cells": list(config.cells)})
    write_result(outputs[1], PhotoResult(photograph=config.photograph, notes=list(estimate.notes), rows=rows))
    recorder.notes = {"data": [config.photograph]}
    recorder.write(output / "provenance.json", outputs)
    return outputs


def _blur_index(image: np.ndarray) -> float:
    return float(np.asarray(blur_effect(image)))
