"""Small explicit networks with random weights in float64, and helpers for their tests."""

from __future__ import annotations

import torch

from sciml.proximal.config import ConvolutionalPotential, DensePotential, PublishedPotential
from sciml.proximal.explicit import ExplicitNetwork

DENSE = DensePotential(channels=5, width=12, hidden=2, alpha=0.05)
PUBLISHED = PublishedPotential(size=(9, 10), width=6, head=5, alpha=0.05)
PHOTOGRAPHS = PublishedPotential(
    size=(8, 8), width=5, head=4, strides=(1, 2, 1), biases=True, beta=100.0, alpha=0.05, signs="softplus"
)
PATCHES = PublishedPotential(size=(4, 4), width=5, head=4, strides=(1, 2), alpha=0.05, patch_stride=2, signs="square")
CONVOLUTIONAL = ConvolutionalPotential(window=3, modulus=0.1)
DEEP = ConvolutionalPotential(window=3, layers=4, mixing_window=1, modulus=0.1)
COLOUR = ConvolutionalPotential(window=1, channels=3, layers=3, modulus=0.1)
VOLUME = ConvolutionalPotential(window=3, dimensions=3, modulus=0.1)
SHAPES = {
    "dense": (DENSE, (5,)),
    "published": (PUBLISHED, (1, 9, 10)),
    "photographs": (PHOTOGRAPHS, (1, 8, 8)),
    "patches": (PATCHES, (1, 7, 5)),
    "convolutional": (CONVOLUTIONAL, (1, 6, 7)),
    "deep": (DEEP, (1, 5, 8)),
    "colour": (COLOUR, (3, 5, 4)),
    "volume": (VOLUME, (1, 3, 4, 3)),
}


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_network(config, seed: int = 0, strength: float = 0.3) -> ExplicitNetwork:
    """Return a network whose weights are far from its start: all tensors shaken, those under a sign constraint kept legal."""
    network = ExplicitNetwork(config, seed=seed).double()
    generator = torch.Generator().manual_seed(100 + seed)
    constrained = network.potential.constrained()
    with torch.no_grad():
        for name, tensor in network.potential.named_parameters():
            noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            if name in constrained:
                # about as much in each row whatever its length, so that depth does not blow up the slopes
                noise = noise.abs() / max(1, tensor[0].numel()) ** (0.5 if constrained[name].signs == "square" else 1.0)
                if constrained[name].signs == "softplus":
                    noise = (3 * strength * noise).expm1().log() - tensor
                tensor += noise if constrained[name].signs == "softplus" else 3 * strength * noise
            else:
                tensor += strength * tensor.abs().amax().clamp(0.1, 1) * noise
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
