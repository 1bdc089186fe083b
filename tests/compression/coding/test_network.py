"""The network behind the decoder: nothing at its start, half precision on disk, no part in the codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import CENTRE, SPAN, random_network, texture

from sciml.compression.codecs.codec import Codec
from sciml.compression.coding.model import CodecModel
from sciml.compression.coding.network import FACTOR, Restorer
from sciml.runtime.errors import FormatError


def picture(rows: int = 24, columns: int = 32, channels: int = 3) -> np.ndarray:
    return ((texture(rows, columns, channels, 1) - CENTRE) / SPAN).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_adds_nothing_at_its_start(channels: int) -> None:
    image = picture(channels=channels)
    assert np.array_equal(Restorer(channels, 8).apply_to(image, 0.2), image)


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_weights_come_back_from_half_precision(depth: int) -> None:
    network = random_network(3, depth)
    arrays = network.arrays()
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
    again = Restorer.from_arrays(arrays)
    assert all(np.array_equal(again.arrays()[name], array) for name, array in arrays.items())
    image = picture()
    found, wanted = again.apply_to(image, 0.2), network.apply_to(image, 0.2)
    assert np.abs(wanted - image).max() > 1e-3
    assert np.abs(found - wanted).max() < 0.01 * np.abs(wanted - image).max()
    assert not any(value.requires_grad for value in again.parameters())


def test_arrays_go_through_it_as_tensors_do() -> None:
    network, image = random_network(3, 2), picture()
    batch = torch.from_numpy(np.stack([image, image[::-1]]).transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        both = network(batch, torch.tensor([0.1, 0.4])).numpy().transpose(0, 2, 3, 1)
    assert np.abs(network.apply_to(image, 0.1) - both[0]).max() < 1e-5
    assert np.abs(network.apply_to(image[::-1], 0.4) - both[1]).max() < 1e-5


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_it_looks_as_far_as_it_says(depth: int) -> None:
    network, image = random_network(1, depth), picture(160, 4, 1)
    changed = image.copy()
    changed[80] += 1
    rows = np.flatnonzero(np.abs(network.apply_to(changed, 0.3) - network.apply_to(image, 0.3)).max((1, 2)) > 0)
    # two outer convolutions and two a block, each one cell of 4 pixels, and the rest of the row's own cell
    assert (rows.min(), rows.max()) == (80 - network.reach, 80 + network.reach + FACTOR - 1)


DAMAGE = {
    "missing": lambda arrays: arrays.pop("inward.weight"),
    "another name": lambda arrays: arrays.update(more=arrays["inward.bias"]),
    "another shape": lambda arrays: arrays.update({"outward.weight": arrays["outward.weight"][:5]}),
    "another width": lambda arrays: arrays.update({"inward.weight": arrays["inward.weight"][:3]}),
    "one axis": lambda arrays: arrays.update({"inward.weight": arrays["inward.bias"]}),
    "not finite": lambda arrays: arrays.update({"inward.bias": arrays["inward.bias"] * np.float16(np.nan)}),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_other_arrays_are_refused(damage) -> None:
    arrays = random_network(3, 1).arrays()
    damage(arrays)
    with pytest.raises(FormatError, match="network is damaged"):
        Restorer.from_arrays(arrays)


def test_a_network_that_looks_too_far_is_refused() -> None:
    with pytest.raises(FormatError, match="network is damaged"):
        Restorer.from_arrays(random_network(3, 4).arrays())


def test_codes_and_bytes_do_not_depend_on_the_network(colour_model: CodecModel) -> None:
    image = np.rint(texture(40, 50, seed=2)).astype(np.uint8)
    data, decoded = [], []
    for network in (None, random_network(3, 2), random_network(3, 2, seed=1)):
        model = CodecModel("tiny", colour_model.transform, CENTRE, SPAN, colour_model.sets, network)
        assert model.id == colour_model.id
        codec = Codec(model)
        data.append(codec.encode(image, rdo_passes=0))
        decoded.append(codec.decode(data[0]))
        assert np.array_equal(codec.codes(data[0])[0], Codec(colour_model).codes(data[0])[0])
    assert data[0] == data[1] == data[2]
    assert not np.array_equal(decoded[1], decoded[2])
    assert np.array_equal(Codec(model, refine=False).decode(data[0]), decoded[0])
