"""A tiny neural model and its training pictures, made in a second or two."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from tiny_models import texture

from sciml.compression.neural.learning import counted_tables
from sciml.compression.neural.model import NeuralModel, cascade_of, neural_model
from sciml.compression.neural.small import SmallCascade
from sciml.compression.neural.start import start
from sciml.compression.settings.models import CascadeConfig

STEP = 0.26
WEIGHT = 0.15 * STEP**2


def pictures(count: int, side: int) -> np.ndarray:
    """Return textures, uint8."""
    return np.stack([np.rint(texture(side, side, 3, seed)) for seed in range(300, 300 + count)]).astype(np.uint8)


@lru_cache
def make_neural(preset: str = "small") -> NeuralModel:
    """Return a model with branches that are not 0, so that all of it takes part."""
    settings = CascadeConfig.model_validate({"preset": preset, "width": 8, "words": (4, 8, 16)})
    torch.manual_seed(1)
    network = cascade_of(settings)
    crops = pictures(4, 128)
    if isinstance(network, SmallCascade):
        start(network, crops, WEIGHT)
        with torch.no_grad():
            for name, value in network.named_parameters():
                if not name.startswith("levels") and not bool(value.any()):
                    value.normal_(0, 0.02)
    network.eval()
    return neural_model("tiny", network, counted_tables(network, crops, WEIGHT), settings, STEP if preset == "small" else 0)
