"""What trains and solves on a GPU: on another device it gives the processor's numbers, and leaves no tensor behind."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from other_device import DEVICE, DeviceGenerator, OnDevice, other_device
from torch import Tensor, nn

from sciml.compression.fitting.pairs import relative_error
from sciml.compression.neural.learning import loss_of
from sciml.imaging import fbp, task, tv, wavelet_l1
from sciml.imaging.operators.linear import LinearPhysics
from sciml.imaging.operators.mri import MultiCoilMRI, cartesian_mri, coil_sensitivities
from sciml.imaging.operators.physics import Noise
from sciml.proximal import LearnedProximalNetwork, reconstruct
from sciml.proximal.learning.objectives import SolverSchedule, denoising_directly, denoising_through_the_solver
from sciml.proximal.learning.random_physics import random_problems

Device = torch.device
Computed = Callable[[Device], Tensor]
CONTEXT = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight"
PICTURE = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0))


def draws(device: Device) -> torch.Generator:
    """Return a generator as the training loop makes one for a device."""
    return (DeviceGenerator() if device == DEVICE else torch.Generator()).manual_seed(3)


def both(compute: Computed) -> None:
    """Compute on the processor and on the other device: the same numbers, each where it was asked for."""
    here = compute(torch.device("cpu")).detach()
    with other_device() as device:
        there = compute(device).detach()
        assert isinstance(there, OnDevice)
        assert torch.equal(there.cpu(), here)


def gradients(network: nn.Module, loss: Tensor) -> Tensor:
    """Return all gradients of a loss."""
    loss.backward()
    return torch.cat([weight.grad.reshape(-1) for weight in network.parameters() if weight.grad is not None])


def test_a_tensor_that_was_left_behind_is_found():
    picture = PICTURE.clone()
    with other_device() as device:
        there = picture.to(device)
        assert float(there.sum()) == float(picture.sum()) and torch.equal((there * 2).cpu(), picture * 2)
        for wrong in (
            lambda: there + picture,
            lambda: nn.functional.conv2d(there, torch.ones(1, 1, 3, 3)),
            lambda: nn.Conv2d(1, 1, 3)(there),
            lambda: torch.randn(3, device=device, generator=torch.Generator()),
        ):
            with pytest.raises(AssertionError, match="device"):
                wrong()
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()


def total_variation(y: Tensor, physics: LinearPhysics) -> Tensor:
    """Return a few steps of the solver."""
    return tv(y, physics, 0.02, iterations=3)


def learned(name: str, solver: str = "auto") -> Callable[[Tensor, LinearPhysics], Tensor]:
    """Return a few steps with a learned proximal network."""

    def solve(y: Tensor, physics: LinearPhysics) -> Tensor:
        network = LearnedProximalNetwork.load(name).to(y.device)
        return reconstruct(y, physics, network, 0.02, iterations=2, solver=solver, allow_uncertified=True).image

    return solve


@pytest.mark.parametrize(
    ("name", "solvers"),
    [
        ("denoise", (total_variation, learned("photo-grey-explicit"))),
        ("deblur", (total_variation, learned("photo-grey-explicit", "admm"))),
        ("ct-sparse", (fbp, learned("photo-grey-explicit"))),
        ("mri-cs", (wavelet_l1, learned("photo-grey"))),
        ("inpaint", (wavelet_l1, learned("photo-grey-explicit", "admm"))),
    ],
)
def test_tasks_are_measured_and_solved(name, solvers):
    picture = torch.rand(1, 1, *task(name, size=(24, 24)).canvas, generator=torch.Generator().manual_seed(1))
    for solve in (lambda y, _: y, *solvers):

        def solved(device: Device, solve: Callable[[Tensor, LinearPhysics], Tensor] = solve) -> Tensor:
            built = task(name, size=(24, 24), device=str(device))
            return solve(built.measure(picture.to(device), torch.Generator().manual_seed(2)), built.physics)

        both(solved)


def test_several_coils():
    def solved(device: Device) -> Tensor:
        mask = cartesian_mri((24, 20), 3.0, 0.1, 0, device).mask
        physics = MultiCoilMRI(mask, coil_sensitivities((24, 20), 4).to(device))
        physics.noise_level = Noise(0.01)
        return tv(physics.A(PICTURE[..., :20].expand(1, 2, 24, 20).to(device)), physics, iterations=4)

    both(solved)


@pytest.mark.parametrize(("name", "sigma"), [("photo-grey", 0.1), ("digits", None)])
def test_networks_give_values_of_the_regulariser(name, sigma):
    def values(device: Device) -> Tensor:
        network = LearnedProximalNetwork.load(name).to(device)
        clean = network(PICTURE[..., :8, :8].to(device), sigma).detach()
        return torch.cat([clean.reshape(-1), network.prior(clean, sigma)])

    both(values)


def learned_steps() -> Iterator[tuple[str, Computed]]:
    """Yield the loss steps of the families' trainings, as gradients of all weights."""
    pictures = PICTURE.expand(2, 1, 24, 24)

    def proximal(name: str, step: Callable[..., tuple[Tensor, object]]) -> Computed:
        def compute(device: Device) -> Tensor:
            network = LearnedProximalNetwork.load(name).to(device).train()
            return gradients(network, step(network, {"images": pictures.to(device), "done": 0.5}, draws(device))[0])

        return compute

    yield "implicit", proximal("photo-grey", denoising_through_the_solver((0.05, 0.2), SolverSchedule()))
    yield "explicit", proximal("photo-grey-explicit", denoising_directly((0.05, 0.2)))

    def restorer(device: Device) -> Tensor:
        from sciml.compression.coding.network import Restorer

        torch.manual_seed(0)
        network = Restorer(3, width=8, depth=1).to(device)
        decoded, wanted = pictures.expand(2, 3, 24, 24).to(device), pictures.expand(2, 3, 24, 24).flip(-1).to(device)
        batch = {"decoded": decoded, "original": wanted, "step": torch.tensor([0.1, 0.2], device=device)}
        return gradients(network, relative_error(network, batch)[0])

    yield "restorer", restorer

    def codebooks(device: Device) -> Tensor:
        from sciml.compression.neural.model import cascade_of
        from sciml.compression.settings.models import CascadeConfig

        torch.manual_seed(0)
        network = cascade_of(CascadeConfig.model_validate({"preset": "published", "width": 8, "words": (4, 8, 16)})).to(device)
        seen = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(4)).to(device)
        return gradients(network.train(), loss_of(0.01, "gumbel")(network, seen, draws(device))[0])

    yield "codebooks", codebooks


@pytest.mark.parametrize(("name", "compute"), learned_steps(), ids=lambda item: item if isinstance(item, str) else "")
def test_training_steps(name, compute):
    both(compute)


@pytest.mark.parametrize("kind", ["deblur", "ct", "mri"])
def test_problems_to_tune_networks_on(kind):
    def measured(device: Device) -> Tensor:
        problem = random_problems(kind, 24, 1, 0, str(device))[0]
        return problem.measure(problem.truth(PICTURE.to(device), draws(device)), draws(device))[0]

    both(measured)


def test_untrained_networks():
    from sciml.deblurring.dip.fit import untrained
    from sciml.deblurring.settings.structures import DipConfig, StopConfig
    from sciml.imaging import gaussian

    config = DipConfig(
        network="tiny", iterations=4, start_iterations=2, ramp_iterations=2, stop=StopConfig(look_every=2, window=2)
    )
    start, kernel = torch.nn.functional.pad(PICTURE, (2, 2, 2, 2), mode="replicate"), gaussian(1.0, 5)

    def fitted(device: Device) -> Tensor:
        return untrained(PICTURE.to(device), kernel, 0.02, config, start.to(device), generator=draws(torch.device("cpu"))).image

    both(fitted)


def test_forecasts_are_learned_and_drawn():
    from sciml.progression.forecasting.diffusion import average, ddim, noise_levels
    from sciml.progression.forecasting.training_pairs import DenoisingStep
    from sciml.progression.networks.adversary import AdversarialPair, autoencoder_step
    from sciml.progression.networks.model_files import load_model

    model = load_model("mni-4p5mm")
    numbers = torch.Generator().manual_seed(5)
    volumes, latents = torch.rand(2, 1, 16, 16, 16, generator=numbers), torch.rand(3, 3, 4, 4, 4, generator=numbers)
    context = torch.rand(3, model.denoiser.unet.get_parameter(CONTEXT).shape[1], generator=numbers)

    def autoencoder(device: Device) -> Tensor:
        torch.manual_seed(0)
        changes = {"adversarial_weight": 0.1, "discriminator_layers": 1, "discriminator_channels": 8}
        pair = AdversarialPair(model.autoencoder.config.model_copy(update=changes)).to(device)
        return gradients(pair, autoencoder_step(pair, volumes.to(device), draws(device))[0])

    both(autoencoder)

    def denoiser(device: Device) -> Tensor:
        network = copy.deepcopy(model.denoiser).to(device).requires_grad_()
        start = latents.to(device)
        batch = {"start": start, "followup": start.flip(0), "context": context.to(device), "start_age": start[:, 0, 0, 0, 0]}
        step = DenoisingStep(noise_levels(network.form.prediction), 1.0)
        return gradients(network, step(network, batch, draws(device))[0])

    both(denoiser)

    def chains(device: Device) -> Tensor:
        network = copy.deepcopy(model.denoiser).to(device)
        who, start = context.to(device), latents[:1].to(device)

        def predicted(noisy: Tensor, times: Tensor, rows: Tensor) -> Tensor:
            told = torch.zeros(len(rows), device=device)
            return network(noisy, times, who[rows], start.expand(len(rows), -1, -1, -1, -1), told)

        scheduler = ddim(network.form.prediction, 2)
        found = average(predicted, scheduler, (3, 4, 4, 4), 2, [0], device=device, together=2)
        return model.autoencoder.to(device).image(found.chains[:, 0])

    both(chains)
