"""Properties that every registered task has, at several sizes; each fails on a wrong operator, seed, noise or check."""

from __future__ import annotations

import math

import pytest
import torch
from imaging_problems import generator, random
from torch import Tensor

from sciml.imaging.operators.mri import cartesian_mask, smooth_phase
from sciml.imaging.operators.physics import Noise, column_norm, noise_of
from sciml.imaging.operators.tomography import ParallelBeam
from sciml.imaging.tasks.task import TASKS, Task, task
from sciml.runtime.errors import ConfigError, ShapeError

SIZES = [(32, 32), (33, 47), (64, 40)]
CASES = [(name, size) for name in TASKS for size in SIZES]
every_task = pytest.mark.parametrize(("name", "size"), CASES, ids=[f"{name}-{a}x{b}" for name, (a, b) in CASES])
RANDOM_PARTS = {"deblur": "kernel", "mri-cs": "mask", "inpaint": "mask"}


def image_like(built: Task, batch: int = 2, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return a random image on the physics' own grid."""
    return random(batch, 2 if built.name == "mri-cs" else 1, *built.canvas, seed=seed, dtype=dtype)


def inner(a: Tensor, b: Tensor) -> float:
    return float((a.double() * b.double()).sum())


@every_task
def test_the_adjoint_is_exact(name, size):
    physics = (built := task(name, size)).physics
    x = image_like(built)
    y = random(*physics.A(x).shape, seed=1, dtype=torch.float32)
    scale = float(physics.A(x).double().norm() * y.double().norm())
    assert abs(inner(physics.A(x), y) - inner(x, physics.A_adjoint(y))) / scale < 2e-6
    assert physics.A_adjoint(y).shape == x.shape


@every_task
def test_the_operator_is_linear_and_sees_each_member_of_a_batch_alone(name, size):
    physics = (built := task(name, size)).physics
    u, v = image_like(built, seed=1), image_like(built, seed=2)
    together = physics.A(2 * u - 3 * v)
    assert (together - 2 * physics.A(u) + 3 * physics.A(v)).norm() / together.norm() < 2e-6
    torch.testing.assert_close(physics.A(u)[1:], physics.A(u[1:]), rtol=1e-5, atol=1e-6)


@every_task
def test_the_norm_is_at_most_one_and_not_far_below(name, size):
    physics = (built := task(name, size)).physics
    x = image_like(built, batch=1).abs() + 0.1
    for _ in range(25):
        x = physics.A_adjoint(physics.A(x / x.norm()))
    norm = math.sqrt(float(x.norm()))
    assert norm <= 1 + 1e-3
    assert norm > (0.9 if name == "deblur" else 0.99)  # a valid blur of a small picture never sees a constant whole


@every_task
def test_equal_seeds_give_equal_bytes(name, size):
    x = image_like(built := task(name, size, seed=3)).abs()[:, :1]
    first = built.measure(x, generator(5))
    again = task(name, size, seed=3).measure(x, generator(5))
    assert first.numpy().tobytes() == again.numpy().tobytes()
    assert not torch.equal(first, built.measure(x, generator(6)))
    assert first.dtype == torch.float32


@pytest.mark.parametrize(("name", "part"), RANDOM_PARTS.items())
def test_another_seed_gives_another_kernel_or_mask(name, part):
    one, two, again = (getattr(task(name, (32, 32), seed=seed).physics, part) for seed in (0, 1, 0))
    assert not torch.equal(one, two)
    assert torch.equal(one, again)


def test_another_seed_gives_another_phase_in_mr():
    x = torch.ones(1, 1, 32, 32)
    truths = [task("mri-cs", (32, 32), seed=seed, acceleration=1, noise=0).measure(x, generator(0)) for seed in (0, 1)]
    assert not torch.allclose(*truths)


@every_task
def test_shapes_of_measurement_picture_and_canvas(name, size):
    built = task(name, size)
    x = image_like(built, batch=3).abs()[:, :1]
    y = built.measure(x, generator(0))
    assert y.shape[0] == 3
    shown = built.picture(built.physics.A_adjoint(y))
    assert shown.shape == (3, 1, *size)
    assert shown.min() >= 0 and shown.max() <= 1
    margin = 9 if name == "deblur" else 0
    assert built.canvas == (size[0] + 2 * margin, size[1] + 2 * margin)
    assert built.physics.A_adjoint(y).shape[-2:] == built.canvas


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("change", ["rank", "channels", "rows", "columns"])
def test_measure_refuses_another_shape(name, change):
    built = task(name, (32, 32))
    height, width = built.canvas
    shape = {
        "rank": (height, width),
        "channels": (1, 3, height, width),
        "rows": (1, 1, height + 1, width),
        "columns": (1, 1, height, width - 1),
    }
    with pytest.raises(ShapeError, match=name):
        built.measure(torch.rand(shape[change]), generator(0))


@pytest.mark.parametrize("name", ["denoise", "deblur", "inpaint"])
@pytest.mark.parametrize("sigma", [0.02, 0.1])
def test_the_noise_of_photographs_has_the_stated_deviation(name, sigma):
    built = task(name, (96, 96), sigma=sigma)
    x = torch.rand(2, 1, *built.canvas, generator=generator(1))
    residual = built.measure(x, generator(0)) - built.physics.A(x)
    if name == "inpaint":
        mask = built.physics.mask.bool().expand_as(residual)
        assert bool((residual[~mask] == 0).all())
        residual = residual[mask]
    assert float(residual.std()) == pytest.approx(sigma, rel=0.03)
    assert abs(float(residual.mean())) < 4 * sigma / math.sqrt(residual.numel())


@pytest.mark.parametrize("name", ["ct-sparse", "ct-limited"])
def test_the_noise_of_tomography_is_a_share_of_each_sinograms_maximum(name):
    built = task(name, (64, 64))
    x = torch.rand(2, 1, 64, 64, generator=generator(1)) * torch.tensor([1.0, 0.2]).reshape(2, 1, 1, 1)
    clean = built.physics.A(x)
    residual = built.measure(x, generator(0)) - clean
    for member in range(2):
        assert float(residual[member].std()) == pytest.approx(0.002 * float(clean[member].max()), rel=0.05)


def test_the_noise_of_mr_is_complex_on_the_sampled_entries_only():
    built = task("mri-cs", (64, 64), noise=0.01)
    x = torch.rand(2, 1, 64, 64, generator=generator(1)) * torch.tensor([1.0, 0.3]).reshape(2, 1, 1, 1)
    silent = task("mri-cs", (64, 64), noise=0.0).measure(x, generator(0))
    residual = built.measure(x, generator(0)) - silent
    mask = built.physics.mask[0, 0].bool()
    assert bool((residual[..., ~mask] == 0).all())
    for member in range(2):
        both = residual[member][:, mask]
        assert float(both.square().sum(0).mean().sqrt()) == pytest.approx(0.01 * float(x[member].max()), rel=0.05)
        assert float(both[0].std() / both[1].std()) == pytest.approx(1, rel=0.1)


def test_mr_keeps_the_magnitude_of_the_picture():
    built = task("mri-cs", (48, 40), acceleration=1, noise=0)
    x = torch.rand(1, 1, 48, 40, generator=generator(2))
    y = built.measure(x, generator(0))
    image = built.physics.A_adjoint(y)
    torch.testing.assert_close(built.picture(image), x, rtol=0, atol=1e-5)
    assert image[:, 1].abs().max() > 0.1  # the phase is not trivial


@pytest.mark.parametrize("name", TASKS)
def test_unknown_options_are_refused_with_the_known_ones(name):
    with pytest.raises(ConfigError, match=f"{name}.*colour.*{next(iter(TASKS[name].defaults))}"):
        task(name, (32, 32), colour=1)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("ct-sparse", "views", "many"),
        ("ct-sparse", "views", -4),
        ("ct-sparse", "views", 0),
        ("ct-sparse", "views", 2.5),
        ("ct-sparse", "views", None),
        ("denoise", "sigma", -0.1),
        ("denoise", "sigma", float("nan")),
        ("denoise", "sigma", float("inf")),
        ("denoise", "sigma", [0.1]),
        ("deblur", "kernel", "square"),
        ("deblur", "kernel_size", 12),
        ("deblur", "kernel_size", 5),
        ("mri-cs", "acceleration", 0.5),
        ("mri-cs", "acceleration", 0),
        ("mri-cs", "acceleration", 40),
        ("mri-cs", "centre_fraction", 0.9),
        ("inpaint", "keep", 1.5),
        ("inpaint", "keep", 0),
    ],
)
def test_values_of_the_wrong_type_sign_or_range_are_refused(name, option, value):
    with pytest.raises(ConfigError):
        task(name, (32, 32), **{option: value})


@pytest.mark.parametrize("size", [(8, 64), (64, 8), (-32, 32), (0, 0), (32, 32, 32)])
def test_sizes_below_the_least_are_refused(size):
    with pytest.raises(ConfigError, match="16 x 16"):
        task("denoise", size)


def test_an_unknown_name_lists_the_tasks():
    with pytest.raises(ConfigError, match=r"'blur'.*deblur.*inpaint"):
        task("blur")


@pytest.mark.parametrize(("given", "kept"), [("24", 24), (24.0, 24), (24, 24)])
def test_option_texts_and_numbers_become_the_type_of_the_default(given, kept):
    built = task("ct-sparse", (32, 32), views=given)
    assert built.options["views"] == kept and isinstance(built.options["views"], int)
    assert isinstance(built.physics, ParallelBeam) and len(built.physics.angles_degrees) == 24
    assert dict(TASKS["ct-sparse"].defaults)["views"] == 60  # the registry stays as it was


def test_views_cover_their_range_evenly_without_the_end():
    assert task("ct-sparse", (32, 32), views=4).physics.angles_degrees == (0, 45, 90, 135)
    limited = task("ct-limited", (32, 32)).physics.angles_degrees
    assert len(limited) == 120 and limited[-1] == 119


@pytest.mark.parametrize(("height", "acceleration"), [(64, 4), (64, 8), (224, 4), (97, 4), (32, 1)])
def test_the_mask_has_whole_rows_the_right_number_and_the_centre(height, acceleration):
    mask = cartesian_mask((height, 20), acceleration, 0.08, seed=1)
    assert (mask == mask[:, :1]).all()
    assert mask[:, 0].sum() == round(height / acceleration)
    centre = max(1, round(height * 0.08))
    first = height // 2 - centre // 2
    assert mask[first : first + centre].all()
    assert mask[height // 2].all()  # zero frequency


def test_inpainting_keeps_the_stated_share():
    mask = task("inpaint", (128, 128), keep=0.3).physics.mask
    assert float(mask.mean()) == pytest.approx(0.3, abs=0.02)
    assert set(mask.unique().tolist()) == {0, 1}


def test_the_phase_is_smooth_and_bounded():
    phase = smooth_phase((64, 48), generator(0))
    assert float(phase.abs().max()) == pytest.approx(math.pi / 2, rel=1e-5)
    assert float(phase.diff(dim=0).abs().max()) < 0.3 and float(phase.diff(dim=1).abs().max()) < 0.4


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        (Noise(0.2), (0.2, 0.2)),
        (Noise(0.2, complex_valued=True), (0.2 / math.sqrt(2),) * 2),
        (Noise(0.01, "measurement"), (0.05, 0.10)),
        (Noise(0.01, "image", complex_valued=True), (0.05 / math.sqrt(2), 0.10 / math.sqrt(2))),
    ],
)
def test_noise_levels_by_hand(noise, expected):
    # member 0: one entry 3 + 4i of magnitude 5; member 1: twice that
    signal = torch.zeros(2, 2, 4, 4)
    signal[0, :, 1, 2] = torch.tensor([3.0, 4.0])
    signal[1] = 2 * signal[0]
    torch.testing.assert_close(noise.of(signal), torch.tensor(expected))


def test_a_physics_without_a_noise_level_is_refused():
    with pytest.raises(ConfigError, match="noise_level"):
        noise_of(ParallelBeam((16, 16), [0.0]))


def test_the_column_norm_against_the_dense_matrix():
    physics = ParallelBeam((16, 16), (0.0, 40.0, 90.0), dtype=torch.float64)
    identity = torch.eye(256, dtype=torch.float64).reshape(256, 1, 16, 16)
    exact = float(physics.A(identity).square().sum((1, 2, 3)).mean().sqrt())
    assert column_norm(physics, identity[:1], probes=200) == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ct-sparse", {"views": 0}),
        ("ct-sparse", {"views": 10**12}),
        ("ct-sparse", {"views": 9999}),
        ("deblur", {"kernel": "disk", "kernel_size": 100_001, "width": 4.0}),
        ("deblur", {"kernel_size": 18}),
    ],
)
def test_options_that_would_eat_the_memory_are_refused_before_anything_is_built(name, options):
    with pytest.raises(ConfigError):
        task(name, (256, 256), **options)
