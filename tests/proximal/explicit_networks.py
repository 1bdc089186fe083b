"""Small explicit networks with random weights in float64, and helpers for their tests."""

from __future__ import annotations

import torch

from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.settings.structures import ConvolutionalPotential, DensePotential, PublishedPotential

DENSE = DensePotential(channels=5, width=12, hidden=2, alpha=0.05)
PUBLISHED = PublishedPotential(size=(7, 6), width=6, head=5, alpha=0.05)
PHOTOGRAPHS = PublishedPotential(
    size=(6, 6), width=5, head=4, strides=(1, 2, 1), biases=True, beta=40.0, alpha=0.05, signs="softplus"
)
PATCHES = PublishedPotential(size=(4, 4), width=5, head=4, strides=(1, 2), alpha=0.05, patch_stride=2, signs="square")
CONVOLUTIONAL = ConvolutionalPotential(window=3, modulus=0.1)
DEEP = ConvolutionalPotential(window=3, layers=4, mixing_window=1, modulus=0.1)
COLOUR = ConvolutionalPotential(window=1, channels=3, layers=3, modulus=0.1)
VOLUME = ConvolutionalPotential(window=3, dimensions=3, modulus=0.1)
SHAPES = {
    "dense": (DENSE, (5,)),
    "published": (PUBLISHED, (1, 7, 6)),
    "photographs": (PHOTOGRAPHS, (1, 6, 6)),
    "patches": (PATCHES, (1, 5, 3)),
    "convolutional": (CONVOLUTIONAL, (1, 5, 6)),
    "deep": (DEEP, (1, 4, 5)),
    "colour": (COLOUR, (3, 3, 4)),
    "volume": (VOLUME, (1, 3, 2, 3)),
}

# three seeds for what is trained, one for the variants of it
SEEDED = [(name, seed) for name in SHAPES for seed in range(3 if name in ("dense", "published", "convolutional", "deep") else 1)]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_network(config, seed: int = 0) -> ExplicitNetwork:
    """Return a network whose weights are far from its start: all tensors shaken, those under a sign constraint kept legal.

    The sizes are such that f has slopes from about the modulus to a few times 1.
    """
    network = ExplicitNetwork(config, seed=seed).double()
    generator = torch.Generator().manual_seed(100 + seed)
    free, positive = (0.2, 0.15) if config.kind == "convolutional" else (1.0, 4.0)
    constrained = network.potential.constrained()
    with torch.no_grad():
        for name, tensor in network.potential.named_parameters():
            noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            if name not in constrained:
                tensor += free * tensor.abs().amax().clamp(0.1, 1) * noise
                continue
            # about as much in each row whatever its length, so that depth does not blow up the slopes
            noise = positive * noise.abs() / max(1, tensor[0].numel())
            if constrained[name].signs == "softplus":
                tensor.copy_(noise.clamp(min=1e-6).expm1().log())
            else:
                tensor += noise.sqrt() if constrained[name].signs == "square" and config.kind != "convolutional" else noise
    assert not network.potential.negative_weights()
    return network.eval()


def images(shape: tuple[int, ...], count: int = 1, seed: int = 0) -> torch.Tensor:
    return 0.5 + 0.4 * normal(count, *shape, seed=seed)


def dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).flatten(1).sum(1)


def jacobian(f, y: torch.Tensor) -> torch.Tensor:
    """Return the full Jacobian of f at one image, by differentiating f itself."""
    n = y.numel()
    return torch.autograd.functional.jacobian(f, y).reshape(n, n)
