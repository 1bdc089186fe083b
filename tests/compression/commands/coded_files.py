"""What tests of `sciml compression` on files share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from tiny_models import texture

from sciml.compression.codecs.model_files import save_model
from sciml.compression.coding.model import CodecModel

PICTURE = texture(70, 90, 3, 1).round().astype(np.uint8)
Run = Callable[..., tuple[int, str, str]]


def save(path: Path, model: CodecModel) -> None:
    save_model(path, model, config={}, seed=0, inputs={}, source_digest="", cpu_minutes=0.0)


def decibel(first: np.ndarray, second: np.ndarray, peak: float = 255) -> float:
    return 10 * np.log10(peak**2 / np.mean((first.astype(float) - second) ** 2))
