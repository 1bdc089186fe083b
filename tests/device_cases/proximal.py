"""Networks of both forms and peers, their losses, and every way through the solver."""

from __future__ import annotations

import torch
from deepinv.physics import Blur, Inpainting, stack
from torch import Tensor

from device_cases import CASES, PICTURE, Computed, Device, Results, case, draws, gradients, numbers
from sciml.proximal import LearnedProximalNetwork, load_denoiser, reconstruct
from sciml.proximal.learning.matching import stage_loss
from sciml.proximal.learning.objectives import (
    denoising_directly,
    denoising_through_the_guide,
    denoising_through_the_solver,
    validate_denoising,
)
from sciml.proximal.learning.random_physics import random_problems
from sciml.proximal.learning.tuning import tuning_through_the_solver, validate_tuning
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.peers import PEERS, build_peer
from sciml.proximal.plugins.deepinv import LearnedDenoiser, LearnedPrior
from sciml.proximal.plugins.imaging import NamedPrior
from sciml.proximal.potentials.potential import Potential
from sciml.proximal.settings.structures import (
    ConvolutionalPotential,
    DensePotential,
    FramePotential,
    MatchingStage,
    PeerConfig,
    PublishedPotential,
    RegularizerConfig,
    SolverSchedule,
)

FEW = SolverSchedule(solver_steps=(4, 4, 4), adjoint_steps=(2, 2, 2))
POTENTIALS = {
    "dense": (DensePotential(channels=5, width=12, hidden=2, alpha=0.05), (5,)),
    "published": (PublishedPotential(size=(6, 6), width=5, head=4, strides=(1, 2, 1), alpha=0.05, signs="softplus"), (1, 6, 6)),
    "patches": (PublishedPotential(size=(4, 4), width=5, head=4, strides=(1, 2), alpha=0.05, patch_stride=2), (1, 5, 3)),
    "convolutional": (ConvolutionalPotential(window=3, modulus=0.1), (1, 8, 8)),
    "volume": (ConvolutionalPotential(window=3, dimensions=3, modulus=0.1), (1, 4, 4, 4)),
    "frame": (FramePotential(), (1, 12, 12)),
}


def of_potential(name: str) -> Computed:
    """Return everything that a network of the explicit form says of a picture, and the gradients of a loss."""

    def compute(device: Device) -> Results:
        config, shape = POTENTIALS[name]
        network = ExplicitNetwork(config, seed=0).to(device)
        y = numbers(2, *shape).to(device)
        clean, value = network.evaluate(y, 0.1)
        more = (network.prox(y, 0.5, 0.1),) if config.kind == "convolutional" else ()
        again = network.prior_values(clean, 0.1).value
        loss = (network.training_forward(y, 0.1) - y.flip(0)).square().mean()
        return (
            network(y, 0.1), clean, value, network.potential_values(y, 0.1), again, network.prior_gradient(clean, 0.1),
            network.jacobian_product(y, y.flip(0), 0.1), *more, gradients(network, loss),
        )  # fmt: skip

    return compute


CASES.update({f"explicit_{name}": of_potential(name) for name in POTENTIALS})


@case
def explicit_in_tiles(device: Device) -> Results:
    network = ExplicitNetwork(ConvolutionalPotential(window=3, modulus=0.1), seed=0).to(device)
    network.tile = 16
    y = PICTURE.to(device)
    psi, levels = network.potential, torch.full((1,), 0.1, device=device)
    return (
        network(y, 0.1), network.jacobian_product(y, y.flip(-1), 0.1), network.potential_values(y, 0.1), psi(y, levels),
        *Potential.density_and_gradient(psi, y, levels),
    )  # fmt: skip


@case
def implicit_form(device: Device) -> Results:
    network = LearnedProximalNetwork.load("photo-grey").to(device)
    y = PICTURE[..., :12, :12].to(device)
    clean, value = network.evaluate(y, 0.1)
    return (
        clean, value, network.prior_gradient(y, 0.1), network.prox(y, 0.5, 0.1), network.jacobian_product(y, y.flip(-1), 0.1),
    )  # fmt: skip


@case
def implicit_form_of_colours(device: Device) -> Results:
    network = LearnedProximalNetwork.load("photo-colour").to(device)
    y = numbers(1, 3, 12, 12).to(device)
    return network(y, 0.1), network.prior(y, 0.1), network.at(0.1, y).value(y)


@case
def guided_form(device: Device) -> Results:
    network = load_denoiser("photo-grey-guided").to(device)
    y = PICTURE[..., :12, :12].to(device)
    step = denoising_through_the_guide((0.05, 0.2), SolverSchedule())
    return network(y, 0.1), gradients(network, step(network, {"images": y, "done": 0.5}, draws(device))[0])


@case
def plugins(device: Device) -> Results:
    network = ImplicitNetwork(RegularizerConfig()).to(device).requires_grad_(False)
    explicit = LearnedProximalNetwork.load("photo-grey-explicit").to(device).requires_grad_(False)
    x, named = PICTURE[..., :12, :12].to(device), NamedPrior(network, 0.1)
    point, multiple = x.clone().requires_grad_(), torch.tensor(0.5, device=device).requires_grad_()
    prior = LearnedPrior(network)
    prior.prox(point, 0.1, gamma=multiple).square().sum().backward()
    shown = LearnedPrior(explicit)
    clean = shown.prox(x, 0.1, gamma=0.8)
    assert point.grad is not None
    assert multiple.grad is not None
    return (
        point.grad, multiple.grad, prior.fn(x, 0.1), prior.grad(x, 0.1), clean, shown.fn(clean, 0.1),
        LearnedDenoiser(network)(x, 0.1), named.value(x), named.gradient(x), named.prox(x, 0.05),
    )  # fmt: skip


@case
def several_measurements_in_other_units(device: Device) -> Tensor:
    network = ImplicitNetwork(RegularizerConfig()).to(device).requires_grad_(False)
    window = torch.ones(1, 1, 3, 3, device=device) / 9
    mask = (numbers(1, 16, 16, seed=3) > 0.4).float().to(device)
    physics = stack(Blur(filter=window, padding="circular", device=device), Inpainting((1, 16, 16), mask=mask, device=device))
    y = physics.A(255 * PICTURE[..., :16, :16].to(device))
    return reconstruct(y, physics, network, 2.0, iterations=3, data_range=255).image


@case
def scaled_operator(device: Device) -> Results:
    network = ImplicitNetwork(RegularizerConfig()).to(device).requires_grad_(False)
    physics = Blur(filter=torch.full((1, 1, 3, 3), 4 / 9, device=device), padding="circular", device=device)
    y = physics.A(PICTURE[..., :16, :16].to(device))
    return tuple(reconstruct(y, physics, network, 0.08, solver=one, iterations=3).image for one in ("variational", "pgd", "admm"))


def learned(name: str) -> Computed:
    """Return the gradients of a denoising step of a shipped network."""

    def compute(device: Device) -> Tensor:
        network = LearnedProximalNetwork.load(name).to(device).train()
        step = denoising_through_the_solver if isinstance(network, ImplicitNetwork) else denoising_directly
        loss_step = step((0.05, 0.2), SolverSchedule()) if isinstance(network, ImplicitNetwork) else step((0.05, 0.2))
        batch = {"images": PICTURE.expand(2, 1, 24, 24).to(device), "done": 0.5}
        return gradients(network, loss_step(network, batch, draws(device))[0])

    return compute


CASES.update({f"learns_{name}": learned(name) for name in ("photo-grey", "photo-grey-explicit")})


def of_peer(kind: str) -> Computed:
    """Return the gradients of a denoising step of a peer, and its validation."""

    def compute(device: Device) -> Results:
        peer = build_peer(PeerConfig.model_validate({"kind": kind, "channels": 1, "depth": 3, "width": 4})).to(device)
        batch = {"images": PICTURE.expand(2, 1, 24, 24).to(device)}
        found = gradients(peer, denoising_directly((0.05, 0.2))(peer, batch, draws(device))[0])
        with torch.no_grad():
            told = validate_denoising(batch["images"], (0.1,), 0)(peer, draws(device))
        return found, torch.tensor(list(told.values()), device=device)

    return compute


CASES.update({f"peer_{kind}": of_peer(kind) for kind in PEERS})


def tuned(kind: str, name: str | None = None) -> Computed:
    """Return the gradients of a step through the solver of random problems, and its validation."""

    def compute(device: Device) -> Results:
        network = (ImplicitNetwork(RegularizerConfig()) if name is None else load_denoiser(name)).to(device)
        problems = random_problems(kind, 24, 2, 0, str(device))
        batch = {"images": numbers(2, 1, 24, 24).to(device), "done": 0.5}
        found = gradients(network, tuning_through_the_solver(problems, FEW)(network, batch, draws(device))[0])
        with torch.no_grad():
            told = validate_tuning(problems, batch["images"], 2)(network, draws(device))
        return found, torch.tensor(list(told.values()), device=device)

    return compute


CASES.update({f"tunes_{kind}": tuned(kind) for kind in ("deblur", "ct", "mri")})
CASES["tunes_a_guide"] = tuned("mri", "photo-grey-guided")


@case
def losses_of_matching(device: Device) -> Tensor:
    f, x = (numbers(4, 3, seed=seed).to(device) for seed in (1, 2))
    stages = [
        MatchingStage.model_validate(
            {"loss": loss, "steps": 1, "learning_rate": 0.1, "gamma": 0.5 if loss == "matching" else None}
        )
        for loss in ("mse", "l1", "matching")
    ]
    return torch.stack([stage_loss(stage, f, x).loss for stage in stages])
