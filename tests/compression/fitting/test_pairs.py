"""What the network learns from: crops as the codec decodes them, moved alike with their originals; the loss by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tiny_models import texture
from torch import nn

from sciml.compression.codecs.codec import Codec
from sciml.compression.coding.model import CodecModel, step_code
from sciml.compression.coding.samples import samples_of
from sciml.compression.fitting.pairs import USUAL_ERROR, USUAL_POWER, PairBatches, Pairs, code_crops, relative_error, symmetry

STEPS = (0.5, 0.35, 0.2)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.stack([texture(64, 64, seed=seed) for seed in range(7)]).astype(np.uint8)


@pytest.fixture(scope="module")
def pairs(colour_model: CodecModel, crops: np.ndarray) -> Pairs:
    return code_crops(colour_model, crops, STEPS, seed=3)


def test_every_step_is_met_as_often_and_nearly(pairs: Pairs) -> None:
    distance = np.abs(np.log(pairs.steps[:, None] / np.array(STEPS)))
    assert list(distance.argmin(1)) == [0, 1, 2, 0, 1, 2, 0]
    assert distance.min(1).max() <= 0.15
    assert len(set(pairs.steps)) == 7


def test_a_crop_is_as_far_from_its_original_as_what_the_codec_decodes(colour_model: CodecModel, pairs: Pairs, crops) -> None:
    """A file's step is the nearest of a scale of .27 %, which moves a few symbols."""
    codec = Codec(colour_model)
    for number, step in enumerate(pairs.steps):
        file = codec.encode_samples(samples_of(crops[number], colour_model), step_code(float(step)))
        levels = np.clip(pairs.decoded[number].transpose(1, 2, 0).astype(np.float64) * 255 + 127.5, 0, 255)
        decoded = codec.decode(file.data).astype(np.float64)
        ours, wanted = (np.square(found - crops[number]).mean() for found in (levels, decoded))
        assert ours == pytest.approx(wanted, rel=0.05)


def test_parts_and_originals_are_moved_alike(colour_model: CodecModel) -> None:
    """A picture whose decoded form is itself: every part must be its original."""
    original = np.stack([texture(96, 96, seed=seed).transpose(2, 0, 1) for seed in range(3)]).astype(np.uint8)
    same = ((original.astype(np.float32) - colour_model.centre) / colour_model.span).astype(np.float16)
    batches = PairBatches(Pairs(same, original, np.array([0.1, 0.2, 0.3])), colour_model, 48, 16, seed=1)
    batch, again, other = batches.batch(5), batches.batch(5), batches.batch(6)
    assert batch["decoded"].shape == (16, 3, 48, 48)
    assert torch.allclose(batch["decoded"], batch["original"], atol=1e-3)
    assert torch.equal(batch["decoded"], again["decoded"])
    assert not torch.equal(batch["decoded"], other["decoded"])


def test_the_eight_symmetries_differ_and_are_all_there_are() -> None:
    square = np.arange(9).reshape(3, 3)
    found = {symmetry(square, number).tobytes() for number in range(8)}
    assert len(found) == 8
    assert symmetry(square[::-1], 5).tobytes() in found


def test_the_loss_by_hand() -> None:
    """Errors of 0.1 and 0.2 before, halved: the gain is 20 log10 2; the loss is in units of what is usual."""

    class Halve(nn.Module):
        def forward(self, decoded: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
            return decoded / 2

    decoded = torch.tensor([0.1, 0.2]).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    batch = {"decoded": decoded, "original": torch.zeros(2, 3, 4, 4), "step": torch.tensor([0.5, 0.25])}
    loss, scalars = relative_error(Halve(), batch)
    usual = [USUAL_ERROR * step**USUAL_POWER for step in (0.5, 0.25)]
    assert float(loss) == pytest.approx((0.0025 / usual[0] + 0.01 / usual[1]) / 2, rel=1e-5)
    assert float(scalars["gain_db"]) == pytest.approx(20 * math.log10(2), abs=1e-4)
