"""Tiny models of the codec that all its tests share."""

from __future__ import annotations

import pytest
from tiny_models import make_model

from sciml.compression.codec import Codec
from sciml.compression.model import CodecModel


@pytest.fixture(scope="session")
def colour_model() -> CodecModel:
    """Two steps, three channels, all four layers."""
    return make_model(3)


@pytest.fixture(scope="session")
def grey_model() -> CodecModel:
    """Two steps, one channel."""
    return make_model(1)


@pytest.fixture(scope="session")
def colour_codec(colour_model: CodecModel) -> Codec:
    return Codec(colour_model)


@pytest.fixture(scope="session")
def grey_codec(grey_model: CodecModel) -> Codec:
    return Codec(grey_model)
