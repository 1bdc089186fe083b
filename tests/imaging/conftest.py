"""What the imaging tests share: real data or a reason to skip, and random tensors from a seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from imaging_problems import generator

from sciml.datasets import manifest


@pytest.fixture
def need_data() -> Callable[..., None]:
    """Return a function that skips the test where data is not fetched; a check run must have its smallest tier."""

    def need(*names: str) -> None:
        absent = [name for name in names if not manifest.is_present(manifest.record(name))]
        if absent:
            must = manifest.in_ci() and set(absent) & set(manifest.tier_ids("ci"))
            (pytest.fail if must else pytest.skip)(f"not fetched: {', '.join(absent)}; run `sciml data fetch`")

    return need


@pytest.fixture
def noise() -> torch.Generator:
    """A fresh generator of seed 0."""
    return generator(0)
