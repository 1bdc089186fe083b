import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.runtime.errors import ConfigError, DataError, ShapeError
from sciml.training import RandomCrops, gradient_energy


def picture(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def crop_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("crops")]


def test_prefetching_changes_nothing_and_ends_its_thread():
    images = [picture(20, 30, 3), picture(17, 16, 3, seed=1)]
    plain = RandomCrops(images, 8, 4, seed=3, prefetch=0)
    with RandomCrops(images, 8, 4, seed=3, prefetch=3) as ahead:
        for step in [0, 1, 2, 3, 9, 10, 4, 4, 5]:  # forward, a jump, back, again
            assert torch.equal(ahead.batch(step), plain.batch(step))
        assert len(ahead._ahead) <= 3
        assert crop_threads()
    assert not crop_threads()
    assert torch.equal(ahead.batch(7), plain.batch(7))  # closed, yet of use


def test_seed_and_step_decide():
    image = [picture(20, 20)]
    a, b = RandomCrops(image, 8, 4, seed=0, prefetch=0), RandomCrops(image, 8, 4, seed=1, prefetch=0)
    assert not torch.equal(a.batch(0), a.batch(1))
    assert not torch.equal(a.batch(0), b.batch(0))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_crop_is_a_window_of_an_image(data):
    axes = data.draw(st.sampled_from([2, 3]))
    space = data.draw(st.tuples(*[st.integers(3, 7)] * axes))
    size = data.draw(st.integers(1, min(space)))
    channels = data.draw(st.sampled_from([None, 1, 2]))
    values = np.arange(1, np.prod(space) * (channels or 1) + 1, dtype=np.float32)
    image = values.reshape(space + ((channels,) if channels else ()))
    flip, turn = data.draw(st.booleans()), data.draw(st.booleans())
    crops = RandomCrops([image], (size,) * axes, 2, seed=data.draw(st.integers(0, 9)), flip=flip, turn=turn, prefetch=0)
    batch = crops.batch(0)
    assert batch.shape == (2, channels or 1, *(size,) * axes) and batch.dtype == torch.float32
    first = image if channels is None else image[..., 0]
    windows = {
        np.sort(w, axis=None).tobytes()
        for w in np.lib.stride_tricks.sliding_window_view(first, (size,) * axes).reshape(-1, size**axes)
    }
    for crop in batch[:, 0].numpy():
        assert np.sort(crop, axis=None).tobytes() in windows
        if not flip and not turn:
            assert (np.diff(crop.ravel()) > 0).all()


def test_all_flips_and_turns_occur():
    image = np.arange(16, dtype=np.float32).reshape(4, 4)
    batch = RandomCrops([image], 4, 200, seed=0, prefetch=0).batch(0).numpy()
    assert len({crop.tobytes() for crop in batch}) == 8  # the symmetries of the square


def test_weights_choose_images():
    images = [picture(8, 8), picture(8, 8) + 10, picture(8, 8) + 20]
    batch = RandomCrops(images, 4, 400, seed=0, weights=[0.0, 3.0, 1.0], prefetch=0).batch(0)
    shares = [float(((batch >= low) & (batch < low + 1)).float().mean()) for low in (0, 10, 20)]
    assert shares[0] == 0 and shares[1] == pytest.approx(0.75, abs=0.07)


def test_gradient_energy_by_hand():
    # rows differ by 2, columns by 1: 4 + 1
    assert gradient_energy(np.float32([[0, 1], [2, 3]])) == 5.0


def test_errors_of_the_thread_reach_the_caller(monkeypatch):
    def fail(step):
        raise RuntimeError(f"batch {step} failed")

    with RandomCrops([picture(9, 9)], 4, 2, seed=0) as crops:
        crops.batch(0)
        monkeypatch.setattr(crops, "_compute", fail)
        with pytest.raises(RuntimeError, match=r"batch [23] failed"):  # 1 and perhaps 2 were computed ahead
            for step in range(1, 4):
                crops.batch(step)
    assert not crop_threads()


def test_constant_crops_are_skipped_and_counted():
    image = np.zeros((40, 40), np.float32)
    image[:10, :10] = picture(10, 10) + 1
    crops = RandomCrops([image], 8, 64, seed=0, prefetch=0)
    batch = crops.batch(0).flatten(1)
    assert bool((batch.amax(1) > batch.amin(1)).all()) and crops.skipped > 64


@pytest.mark.parametrize(
    ("images", "changes", "error", "message"),
    [
        ([], {}, DataError, "no image"),
        ([np.full((9, 9), 0.5, np.float32)], {}, DataError, r"image 0 is constant \(0.5 everywhere\)"),
        ([picture(9, 9), np.full((9, 9), np.nan, np.float32)], {"names": ["a.png", "b.png"]}, DataError, "image b.png holds NaN"),
        ([picture(9, 3)], {}, ShapeError, r"size \(9, 3\), smaller than the crop \(4, 4\)"),
        ([picture(9)], {}, ShapeError, "expected 2 axes"),
        ([picture(9, 9).astype(np.float64)], {}, ShapeError, "type float64, expected float32"),
        ([picture(9, 9), picture(9, 9, 3)], {}, ShapeError, "image 1 has 3 channels, the first image has 1"),
        ([picture(9, 9)], {"names": []}, ConfigError, "0 names for 1 images"),
        ([picture(9, 9)], {"weights": [-1.0]}, ConfigError, "weights are"),
        ([picture(9, 9)], {"weights": [0.0]}, ConfigError, "weights are"),
        ([picture(9, 9)], {"crop_size": (4, 5)}, ConfigError, "cannot be turned"),
        ([picture(9, 9)], {"crop_size": 0}, ConfigError, "crop_size is 0"),
        ([picture(9, 9)], {"batch_size": 0}, ConfigError, "batch_size is 0"),
    ],
)
def test_bad_input_is_named(images, changes, error, message):
    with pytest.raises(error, match=message):
        RandomCrops(images, **({"crop_size": 4, "batch_size": 2, "seed": 0} | changes))
