"""Passes of optimisation: nothing changes where decoding is linear, the gradient is one, files get better for what they cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import texture

from sciml.compression.codecs.codec import Codec
from sciml.compression.coding.encoding import MOST_RDO_PASSES, EncodeOptions
from sciml.compression.coding.model import CodecModel, step_code
from sciml.compression.coding.network import Restorer
from sciml.compression.coding.rdo_passes import _gradient, refined_planes
from sciml.compression.coding.samples import samples_of
from sciml.compression.coding.symbol_choice import LAMBDA, masking
from sciml.compression.coding.tile_coding import TileWindow, tile_window
from sciml.compression.coding.transform import lap
from sciml.runtime.errors import ConfigError

STEP = 0.3


def with_network(model: CodecModel, size: float) -> CodecModel:
    """Return the model with a network whose addition has about a size in steps."""
    torch.manual_seed(4)
    network = Restorer(3, 16, 1)
    torch.nn.init.normal_(network.outward.weight, std=size)
    return replace(model, network=network.eval().requires_grad_(requires_grad=False))


def window_of(model: CodecModel) -> TileWindow:
    """Return a tile with more picture above, left and right of it, and with rows below that the picture has not."""
    return tile_window(model, texture(120, 160, seed=9), 32, 48, 88, 64)


def test_where_decoding_is_linear_the_planes_stay(colour_model: CodecModel) -> None:
    """The network adds 0, all pixels belong to the picture: y' = (y + z - (z - y)) / 2 = y."""
    window = tile_window(colour_model, texture(128, 160, seed=9), 0, 0, 128, 160)
    planes = window.planes(colour_model)
    for model in (colour_model, with_network(colour_model, 0.0)):
        refined = refined_planes(model, 0, STEP, window, LAMBDA, 3)
        assert np.abs(refined - planes).max() < 1e-5


def test_the_gradient_is_that_of_the_decoded_error(colour_model: CodecModel) -> None:
    model, window = with_network(colour_model, 0.2), window_of(colour_model)
    generator = np.random.default_rng(0)
    decoded = window.planes(model) + generator.normal(0, 0.1, window.planes(model).shape).astype(np.float32)
    direction = generator.normal(0, 1, decoded.shape).astype(np.float32)

    def error(planes: np.ndarray) -> float:
        lapped = window.lapped.copy()
        lapped[:, *window.inner] = model.transform.blocks(planes.astype(np.float32))
        assert model.network is not None
        picture = model.network.apply_to(model.transform.unrotate(lap(lapped, inverse=True)), STEP)
        rows, columns = window.inside
        return float(np.square(picture - window.centred, dtype=np.float64)[:rows, :columns].sum() / 2)

    small = 1e-2
    measured = (error(decoded + small * direction) - error(decoded - small * direction)) / (2 * small)
    assert float((_gradient(model, STEP, window, decoded) * direction).sum()) == pytest.approx(measured, rel=2e-3)


@pytest.mark.parametrize("tile_log2", [0, pytest.param(6, marks=pytest.mark.slow)])
def test_passes_lower_error_plus_rate(tile_log2: int) -> None:
    codec = Codec.load("photo")
    picture = texture(80, 112, seed=12).astype(np.uint8)
    samples = samples_of(picture, codec.model)
    costs = []
    for passes in (0, 2):
        encoded = codec.encode_samples(samples, step_code(STEP), EncodeOptions(tile_log2=tile_log2, rdo_passes=passes))
        error = np.square((codec.decode(encoded.data).astype(np.float64) - picture) / codec.model.span).sum()
        costs.append(error + LAMBDA * STEP**2 * encoded.ideal_bits)
    assert costs[1] < costs[0]


def test_the_codec_without_its_network_makes_no_passes() -> None:
    codec = Codec.load("photo", refine=False)
    picture = texture(64, 64, seed=3).astype(np.uint8)
    assert codec.encode(picture, rdo_passes=3) == codec.encode(picture, rdo_passes=0)


def test_a_target_is_met_with_passes_too() -> None:
    codec = Codec.load("photo")
    picture = texture(96, 96, seed=5).astype(np.uint8)
    data = codec.encode(picture, max_bytes=1200, rdo_passes=2)
    assert 0.96 * 1200 <= len(data) <= 1200


@pytest.mark.parametrize(
    ("options", "words"),
    [({"effort": -1}, "rdo_passes"), ({"rdo_passes": MOST_RDO_PASSES + 1}, "rdo_passes"), ({"tune": "ssim"}, "ms-ssim")],
)
def test_what_is_not_known_is_refused(colour_codec: Codec, options: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        colour_codec.encode(np.zeros((16, 16, 3), np.uint8), **options)


def test_masking_forgives_where_the_picture_is_busy(colour_model: CodecModel) -> None:
    picture = np.full((64, 128, 3), 127.5, np.float32)
    picture[:, 64:] += np.random.default_rng(1).normal(0, 30, (64, 64, 1))
    planes = tile_window(colour_model, picture, 0, 0, 64, 128).planes(colour_model)
    weights = masking(colour_model, planes)
    assert weights[:, :3].max() < 0.2 < 1 < weights[:, 5:].min()
    assert weights == pytest.approx(
        masking(colour_model, np.where(colour_model.transform.order[:, None, None] % 256 == 0, 9, planes))
    )
