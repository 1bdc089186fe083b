"""What the imaging tests share: random tensors from a seed."""

from __future__ import annotations

import pytest
import torch
from imaging_problems import generator


@pytest.fixture
def noise() -> torch.Generator:
    """A fresh generator of seed 0."""
    return generator(0)
