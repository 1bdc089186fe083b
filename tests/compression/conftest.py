"""Tiny models of the codec that all its tests share."""

from __future__ import annotations

import pytest
from tiny_models import make_model, with_groups

from sciml.compression.codecs.codec import Codec
from sciml.compression.coding.model import CodecModel
from sciml.compression.fitting.groups import Structure


@pytest.fixture(scope="session")
def colour_model() -> CodecModel:
    """Two steps, three channels, all four layers."""
    return make_model(3)


@pytest.fixture(scope="session")
def grey_model() -> CodecModel:
    """Two steps, one channel."""
    return make_model(1)


@pytest.fixture(scope="session")
def vector_model(colour_model: CodecModel) -> CodecModel:
    """The colour model with pairs from plane 24 on and vectors of six from plane 60 on, in three passes."""
    return with_groups(colour_model, Structure({24: 2, 60: 6}, words=24, passes=3, rounds=5))


@pytest.fixture(scope="session")
def colour_codec(colour_model: CodecModel) -> Codec:
    return Codec(colour_model)


@pytest.fixture(scope="session")
def grey_codec(grey_model: CodecModel) -> Codec:
    return Codec(grey_model)
