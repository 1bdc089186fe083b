"""Large pictures: restored part by part without seams, and gone on with where they were interrupted."""

from __future__ import annotations

import re

import numpy as np
import pytest
from blurred_scenes import blurred, sharp

from sciml.deblurring import Shake, deblur
from sciml.deblurring.kernels.shake import write_shake
from sciml.deblurring.restoration import steps
from sciml.deblurring.solvers import tiles
from sciml.deblurring.study.turning import shaken, turning_shake
from sciml.imaging.operators.kernels import line
from sciml.imaging.priors import Certificate
from sciml.runtime.errors import ConfigError, FormatError

KERNEL = line(9, 30)


def in_small_parts(monkeypatch, side: int = 60) -> None:
    """Let pictures of this size be large."""
    monkeypatch.setattr(steps, "SIDE", side)
    monkeypatch.setattr(steps, "LEARNED_SIDE", side)
    monkeypatch.setattr(steps.Restoration._in_parts, "__defaults__", (None, side))


@pytest.mark.parametrize("prior", ["tv", pytest.param("lpn:photo-deblur", marks=pytest.mark.slow)])
def test_a_large_picture_in_parts_is_the_whole_up_to_the_solver_s_tolerance_and_shows_no_seams(monkeypatch, prior):
    size = 150 if prior == "tv" else 100
    picture = blurred(KERNEL, size, channels=3)[0][0].permute(1, 2, 0).numpy()
    spread = 2 if prior == "tv" else 0
    whole = deblur(picture, KERNEL, 0.01, error="none", prior=prior, spread=spread)
    in_small_parts(monkeypatch)
    told: list[str] = []
    parts = deblur(picture, KERNEL, 0.01, error="none", prior=prior, spread=spread, on_progress=lambda what, _: told.append(what))
    assert parts.image.shape == picture.shape and parts.misfit == pytest.approx(whole.misfit, abs=1e-3)
    change = parts.image - whole.image
    assert np.square(change).mean() < 4e-6 and change.any()
    if spread:
        assert np.square(parts.spread - whole.spread).mean() < 1e-5
    for axis in (0, 1):
        steps_across = np.abs(np.diff(change, axis=axis)).mean(axis=(1 - axis, 2))
        lines = [first - 1 for first, _ in tiles.parts_of(size, 60)[1:]]
        assert steps_across[lines].max() < 1 / 255 and steps_across[lines].max() <= 3 * steps_across.mean()
    assert any(re.match(r"part (\d) of \1 restored", one) for one in told)


def test_a_camera_that_did_not_turn_has_one_kernel_and_one_that_did_is_undone_part_by_part(tmp_path):
    y, truth = (one[0, 0].numpy() for one in blurred(KERNEL, 110))
    rows, columns = (np.indices(KERNEL.shape).reshape(2, -1) - len(KERNEL) // 2).astype(float)
    still = Shake(np.stack([rows, columns, 0 * rows], 1), KERNEL.ravel())
    whole, found = (deblur(y, kernel, 0.01, error="none") for kernel in (KERNEL, still))
    np.testing.assert_allclose(found.image, whole.image, atol=1e-6)
    assert found.misfit == pytest.approx(whole.misfit, rel=1e-5)

    shake = turning_shake(9, 5, 90, np.random.default_rng(1))
    scene = sharp(150)[0, 0].numpy()
    y = (shaken(scene, shake, (110, 130)) + 0.01 * np.random.default_rng(0).normal(size=(110, 130))).astype(np.float32)
    truth, told = scene[20:130, 10:140], []
    found = deblur(y, shake, 0.01, on_progress=lambda what, _: told.append(what), checkpoint=tmp_path, spread=2)
    middle = deblur(y, found.kernel, 0.01, error="none")
    errors = [float(np.square(one - truth)[8:-8, 8:-8].mean()) for one in (found.image, middle.image, y)]
    assert errors[0] < 0.6 * errors[1] and errors[0] < 0.4 * errors[2]
    # one kernel leaves more unexplained than that of each place
    assert found.misfit < middle.misfit and found.spread.shape == y.shape
    assert "turned by" in found.sentences[0] and found.step is None
    assert any(what.startswith("part 4 of") for what in told)
    write_shake(tmp_path / "poses.csv", shake)
    again = deblur(y, str(tmp_path / "poses.csv"), 0.01, error="none")
    np.testing.assert_allclose(again.image, found.image, atol=1e-3)
    with pytest.raises(ConfigError, match="untrained networks take one kernel"):
        deblur(y, shake, prior="dip")


class Quadratic:
    """R(x) = strength / 2 |x|^2, a prior that costs nothing."""

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def value(self, x):
        return self.strength / 2 * x.square().sum((1, 2, 3))

    def gradient(self, x):
        return self.strength * x

    def prox(self, v, weight):
        return v / (1 + weight * self.strength)

    def certificate(self) -> Certificate:
        return Certificate(0.0, self.strength, True, True, "a quadratic")


def test_a_large_picture_goes_on_where_it_was_interrupted(monkeypatch, tmp_path):
    picture = blurred(KERNEL, 100)[0][0, 0].numpy()
    in_small_parts(monkeypatch)
    monkeypatch.setattr(steps, "resolve", lambda _: Quadratic(1.0))
    words = {"error": "none", "prior": "some:prior", "checkpoint": tmp_path}
    wanted = deblur(picture, KERNEL, 0.01, **words | {"checkpoint": None})
    solved: list[int] = []
    solve = steps.map_estimate

    def counted(*given, **more):
        if len(solved) == 5:
            raise KeyboardInterrupt
        solved.append(1)
        return solve(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(steps, "map_estimate", counted)
        found = deblur(picture, KERNEL, 0.01, **words)
    assert found.interrupted and len(solved) == 5 and len(list(tmp_path.iterdir())) == 5
    assert np.isfinite(found.image).all() and not np.array_equal(found.image, wanted.image)
    solved.clear()
    with monkeypatch.context() as patch:
        patch.setattr(steps, "map_estimate", counted)
        found = deblur(picture, KERNEL, 0.01, **words)
        assert len(solved) == 8 - 5
        np.testing.assert_array_equal(found.image, wanted.image)
        # another weight is another picture
        solved.clear()
        deblur(picture, KERNEL, 0.01, **words, weight=2.0)
        assert len(solved) == 4
        # and so is another prior under the same name
        solved.clear()
        patch.setattr(steps, "resolve", lambda _: Quadratic(2.0))
        deblur(picture, KERNEL, 0.01, **words)
        assert len(solved) == 4
    for path in tmp_path.iterdir():
        path.write_bytes(b"cut short")
    with pytest.raises(FormatError, match="is damaged"):
        deblur(picture, KERNEL, 0.01, **words)
