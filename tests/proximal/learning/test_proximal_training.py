"""Training of the implicit form: gradients through the solver, random operators, pools of pictures, resuming."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from implicit_networks import images, perturbed
from pydantic import ValidationError

from sciml.proximal.config import Config
from sciml.proximal.learning.objectives import noise_levels, weighted_error
from sciml.proximal.learning.random_physics import random_problems
from sciml.proximal.learning.tuning import reconstruction_steps, tuning_through_the_solver
from sciml.proximal.networks.guided import GuidedNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.optimise.implicit_diff import conjugate_gradients, through_prox
from sciml.proximal.settings.models import ModelConfig, TrainConfig, default_models
from sciml.proximal.settings.structures import FramePotential, GuideConfig, PeerConfig, RegularizerConfig, SolverSchedule

CONFIG = RegularizerConfig(windows=((3,), (3,)), curvature=10.0)


def exact(seed: int = 0) -> ImplicitNetwork:
    network = ImplicitNetwork(CONFIG, tolerance=1e-12, iterations=500).double()
    network.regularizer.load_state_dict(perturbed(CONFIG, seed).state_dict())
    return network


def test_the_implicit_gradient_is_that_of_the_converged_loss():
    network, clean = exact(), images(1, (10, 10)) * 0 + torch.linspace(0, 1, 10, dtype=torch.double)
    noisy, sigma = clean + images(1, (10, 10), scale=0.1), torch.full((2,), 0.1, dtype=torch.double)

    def loss() -> float:
        return float(weighted_error(network(noisy, sigma), clean, sigma)[0])

    at = network.regularizer.at(sigma)
    solution = network(noisy, sigma)
    _, slope = weighted_error(solution, clean, sigma)
    surrogate, residual = through_prox(at, solution, slope, lambda v: v, 200)
    assert float(residual) < 1e-10
    surrogate.backward()
    generator = torch.Generator().manual_seed(1)
    for name, parameter in network.regularizer.named_parameters():
        assert parameter.grad is not None, name
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.double)
        with torch.no_grad():
            h = 1e-5 / float(direction.norm())
            parameter += h * direction
            above = loss()
            parameter -= 2 * h * direction
            below = loss()
            parameter += h * direction
        expected = (above - below) / (2 * h)
        assert float((parameter.grad * direction).sum()) == pytest.approx(expected, rel=2e-4, abs=1e-9), name


@pytest.mark.parametrize(
    ("task", "steps", "guided"),
    [("deblur", 150, False), ("ct", 150, False), pytest.param("mri", 280, False, marks=pytest.mark.slow), ("deblur", 150, True)],
)
def test_the_gradient_through_a_reconstruction_is_that_of_the_converged_loss(task, steps, guided):
    """With many steps the loss of the tuning and its gradient agree with central differences, the weight's included.

    Of a guide: the gradient of its own weights, whose thresholds are read off a solution that they do not change.
    """
    network = exact(1)
    problems = random_problems(task, 24, 3, 0)[:1]
    step = tuning_through_the_solver(problems, SolverSchedule(solver_steps=(steps,), adjoint_steps=(steps // 2,), begins=(0.0,)))
    batch = {"images": torch.linspace(0, 1, 24).repeat(1, 1, 24, 1), "done": 0.0}
    single = ImplicitNetwork(CONFIG)
    single.load_state_dict({key: value.float() for key, value in network.state_dict().items()})
    weights: list[torch.Tensor] = [single.log_weight, single.regularizer.levels[0].log_tau]
    model: torch.nn.Module = single
    if guided:
        model = GuidedNetwork(single, GuideConfig(width=6, depth=2))
        weights = [model.guide.last.bias, model.guide.last.weight]
        with torch.no_grad():
            model.guide.last.weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    loss, scalars = step(model, batch, torch.Generator().manual_seed(3))
    loss.backward()
    if float(scalars["negative_curvature"]) > 0:
        pytest.skip("this problem met negative curvature, where the gradient is only part of it")
    slopes = [parameter.grad.clone() for parameter in weights if parameter.grad is not None]
    # both are moved along their own unit gradients at once, the weight half as far, so that an error of either shows
    lengths = [0.025, 0.05]
    directions = [length * slope / slope.norm() for length, slope in zip(lengths, slopes, strict=True)]

    def moved(sign: int) -> float:
        with torch.no_grad():
            for parameter, direction in zip(weights, directions, strict=True):
                parameter += sign * direction
            value = float(step(model, batch, torch.Generator().manual_seed(3))[0].detach())
            for parameter, direction in zip(weights, directions, strict=True):
                parameter -= sign * direction
        return value

    expected = sum(length * float(slope.norm()) for length, slope in zip(lengths, slopes, strict=True))
    assert (moved(1) - moved(-1)) / 2 == pytest.approx(expected, rel=0.05, abs=5e-5)


def test_conjugate_gradients_solve_each_image_and_stop_at_negative_curvature():
    scale = torch.tensor([1.0, 4.0]).double().reshape(2, 1, 1, 1)
    right = images(1, (4, 4))
    v, good = conjugate_gradients(lambda p: scale * p, right, lambda p: p, 5)
    torch.testing.assert_close(v, right / scale)
    assert good.all()
    v, good = conjugate_gradients(
        lambda p: scale * torch.tensor([1.0, -1.0]).double().reshape(2, 1, 1, 1) * p, right, lambda p: p, 5
    )
    assert good.tolist() == [True, False] and float(v[1].abs().max()) == 0
    torch.testing.assert_close(v[0], right[0])


@pytest.mark.parametrize("task", ["deblur", "ct", "mri"])
def test_random_operators_are_reproducible_adjoint_and_measured_as_told(task):
    problems, again = random_problems(task, 32, 4, 7), random_problems(task, 32, 4, 7)
    x = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    for one, other in zip(problems, again, strict=True):
        truth = one.truth(x, torch.Generator().manual_seed(1))
        y, sigma = one.measure(truth, torch.Generator().manual_seed(2), share=0.5)
        torch.testing.assert_close(other.physics.A(truth), one.physics.A(truth))
        v = torch.randn(y.shape, generator=torch.Generator().manual_seed(3))
        left, right = (one.physics.A(truth) * v).sum(), (truth * one.physics.A_adjoint(v)).sum()
        torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-3)
        noise = y - one.physics.A(truth)
        measured = noise[noise != 0]
        assert float(measured.std()) == pytest.approx(float(sigma.square().mean().sqrt()), rel=0.15)
        assert one.spectrum.min() > 0 and one.column_norm <= 1
        assert one.start(y).shape == truth.shape


def test_more_steps_get_nearer_to_the_same_reconstruction():
    network, problem = ImplicitNetwork(CONFIG), random_problems("deblur", 32, 1, 0)[0]
    truth = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)).cumsum(-1) / 16
    y, sigma = problem.measure(truth, torch.Generator().manual_seed(2))
    far, near, end = (reconstruction_steps(network, problem, y, sigma, count)[0] for count in (8, 24, 120))
    assert float((near - end).norm()) < 0.3 * float((far - end).norm())


def test_noise_levels_fill_their_range_evenly_in_the_logarithm():
    drawn = noise_levels(4000, (0.01, 0.3), torch.Generator().manual_seed(0), torch.zeros(1)).log()
    assert drawn.min() >= np.log(0.01) - 1e-5 and drawn.max() <= np.log(0.3) + 1e-5
    assert float(drawn.mean()) == pytest.approx((np.log(0.01) + np.log(0.3)) / 2, abs=0.05)


def test_the_schedule_names_its_phases():
    schedule = SolverSchedule(solver_steps=(1, 2, 3), adjoint_steps=(4, 5, 6), begins=(0, 0.5, 0.8))
    assert [schedule.at(done) for done in (0, 0.49, 0.5, 0.8, 0.999)] == [(1, 4), (1, 4), (2, 5), (3, 6), (3, 6)]


def test_settings_refuse_what_cannot_be_trained():
    with pytest.raises(ValueError, match="only the implicit form"):
        ModelConfig(domain="ct", task="ct", network=PeerConfig(), steps=1, cpu_minutes=1)
    with pytest.raises(ValueError, match="lowest and highest"):
        ModelConfig(domain="ct", network=CONFIG, sigma_range=(0.3, 0.1), steps=1, cpu_minutes=1)
    with pytest.raises(ValueError, match="start_from names the network"):
        ModelConfig(domain="ct", network=GuideConfig(), start_from="ct", start_scale=2.0, steps=1, cpu_minutes=1)


def small(**changes) -> TrainConfig:
    values = {
        "name": "small",
        "domain": "photo-grey",
        "network": CONFIG,
        "steps": 6,
        "cpu_minutes": 5.0,
        "crop_size": 32,
        "batch_size": 2,
        "validation_crops": 3,
        "validations": 2,
        "operators": 2,
        "data_tier": "ci",
        "seed": 3,
        "schedule": SolverSchedule(solver_steps=(4, 4, 4), adjoint_steps=(2, 2, 2)),
    }
    return TrainConfig.model_validate(values | changes)


def test_settings_of_a_known_network_say_only_what_differs():
    known = default_models()["ct"]
    changed = Config.model_validate({"models": {"ct": {"steps": 7, "network": {"curvature": 30.0}}}}).models
    assert changed == {
        "ct": known.model_copy(update={"steps": 7, "network": known.network.model_copy(update={"curvature": 30.0})})
    }
    other = Config.model_validate({"models": {"photo-grey": {"network": {"kind": "frame"}}}}).models["photo-grey"]
    assert other.network == FramePotential()
    with pytest.raises(ValidationError, match="domain"):
        Config.model_validate({"models": {"mine": {"steps": 7}}})


def test_the_earlier_name_of_a_setting_is_taken_and_both_names_are_refused():
    for name, more in (("ct", {}), ("mine", {"domain": "ct", "network": {"kind": "frame"}, "steps": 7, "cpu_minutes": 1})):
        made = Config.model_validate({"models": {name: {"reductions": {2: 1.0}, **more}}}).models[name]
        assert made.downscale_probabilities == {2: 1.0}
    with pytest.raises(ValidationError, match="reductions"):
        ModelConfig.model_validate({**made.model_dump(), "reductions": {2: 1.0}})


@pytest.mark.slow
def test_training_writes_a_network_that_denoises_and_can_be_tuned_further(tmp_path):
    from sciml.proximal.networks.forms import load_denoiser
    from sciml.proximal.stages.train import run

    weights, _ = run(small(steps=40), None, tmp_path / "a")
    network = load_denoiser(weights)
    clean = torch.linspace(0, 1, 48).repeat(1, 1, 48, 1)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    assert float((network(noisy, 0.1) - clean).square().mean()) < 0.3 * float((noisy - clean).square().mean())
    for task, domain in (("deblur", "photo-grey"), ("mri", "mri"), ("ct", "ct")):
        tuned, history = run(
            small(name=task, task=task, domain=domain, start_from="small", crop_size=40), weights, tmp_path / task
        )
        assert load_denoiser(tuned).form == "implicit" and "psnr" in history.read_text()
    guide = GuideConfig(width=4, depth=2)
    guided, _ = run(small(name="guided", network=guide, start_from="small"), weights, tmp_path / "guided")
    parts = load_denoiser(guided).base.state_dict()
    assert all(torch.equal(value, parts[name]) for name, value in network.state_dict().items())
    for changes in ({"domain": "photo-colour"}, {"domain": "mri", "task": "mri", "crop_size": 40}):
        again, _ = run(small(name="more", network=guide, start_from="guided", **changes), guided, tmp_path / changes["domain"])
        further = load_denoiser(again)
        assert further.form == "guided" and further.channels == (3 if changes["domain"] == "photo-colour" else 1)
        # both are trained: R too
        before, after = (one.regularizer.levels[0].log_tau for one in (network, further.base))
        assert not torch.equal(after[: len(before)], before)
    peer, _ = run(small(name="peer", network=PeerConfig(width=4, depth=3)), None, tmp_path / "peer")
    assert load_denoiser(peer)(noisy, 0.1).shape == noisy.shape


@pytest.mark.slow
def test_a_stopped_training_ends_in_the_same_bytes(tmp_path):
    from sciml.proximal.stages.train import run
    from sciml.training import weights_digest

    whole, _ = run(small(), None, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(small(), tmp_path / "parts")
    again, _ = run(small(), None, tmp_path / "parts")
    assert weights_digest(again) == weights_digest(whole)


def _interrupted(config: TrainConfig, folder) -> None:
    """Run until the fourth step, with a checkpoint at every step, and break off as a kill would."""
    from sciml.proximal.stages import train as stage

    original, calls = stage._project, []

    def stop(model):
        original(model)
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt

    stage._project = stop
    try:
        stage.run(config, None, folder)
    finally:
        stage._project = original
