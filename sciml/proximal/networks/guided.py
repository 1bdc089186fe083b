"""A learned regulariser whose thresholds follow the picture: solved twice, each time a proximal problem with every bound.

    x1 = prox_R(y),    s = exp(-2 z(x1)),    f(y) = prox_{R^s}(y),    R^s:  phi_k(q_k(p))  becomes  phi_k(s_k(p) q_k(p)) / s_k(p)

z is a small convolutional network that reads the first solution x1 and what it was denoised from, y = x1 + grad R(x1), of
complex images the magnitudes: where it sees texture it raises a group's thresholds, tau exp(z), and in flat regions it lowers
them. R^s is fixed then and has the bounds -rho I <= Hess R^s <= D of R whatever the network says, since a Charbonnier function of
a vector has a Hessian between 0 and the identity for any threshold: its prox is unique, and a reconstruction with it comes with
the same certificate. As a function of y, f is no proximal operator of one regulariser; `fixed` gives the network that it is at
one picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sciml.proximal.networks.implicit import COMPLEX, ImplicitNetwork
from sciml.proximal.networks.network import Images, Sigma
from sciml.proximal.settings.structures import GuideConfig
from sciml.runtime.errors import ConfigError, ShapeError
from sciml.runtime.settings import validated

LEVELS = 2
# thresholds change by factors of exp(-8) to exp(8): the smallest of them keep their squares above the least float
LIMIT = 8.0
# relative residual of the first solution: thresholds that are read off a better one give no more
FIRST_TOLERANCE = 4e-3
# positions of the coarse grid that the network computes at a time without a graph
AT_ONCE = 1 << 14

Stretches = tuple[Float[Tensor, "batch group rows columns"], ...]


class Guide(nn.Module):
    """z: logarithms of factors on the thresholds of each group and position, at both levels of a regulariser.

    A residual network of 3 x 3 convolutions on the grid of the coarse level; what it finds for the four pixels of a position is
    spread over them. It starts at z = 0.

    Args:
        config: width and depth.
        groups: groups of the fine and of the coarse level.
        channels: of the images.
        seed: start of the weights.
    """

    def __init__(self, config: GuideConfig, groups: tuple[int, int], channels: int = 1, seed: int = 0) -> None:
        super().__init__()
        self.config, self.groups = config, groups
        width, generator = config.width, torch.Generator().manual_seed(seed)
        # four pixels of each channel of two images, and the noise level
        seen = [4 * 2 * channels + 1] + [width] * (config.depth - 1)
        layers = [nn.Conv2d(number, width, 3, padding=1) for number in seen]
        self.first, self.body = layers[0], nn.ModuleList(layers[1:])
        self.last = nn.Conv2d(width, 4 * groups[0] + groups[1], 1)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
        for layer in layers:
            nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)

    def forward(self, x: Images, y: Images, sigma: Float[Tensor, " batch"]) -> Stretches:
        """Return s = exp(-2 z) of the fine and of the coarse level.

        Args:
            x: first solutions, (batch, channel, height, width).
            y: what they were denoised from, the same shape.
            sigma: noise level of each image, or one of all.
        """
        height, width = x.shape[-2:]
        odd = (0, width % 2, 0, height % 2)
        quarters = [F.pixel_unshuffle(F.pad(image - 0.5, odd, mode="replicate") * 2, 2) for image in (x, y)]
        level = (sigma / 0.1).log()[:, None, None, None].expand(len(x), 1, *quarters[0].shape[-2:])
        z = self._in_bands(torch.cat([*quarters, level], 1)).clamp(-LIMIT, LIMIT)
        fine, coarse = z.split([4 * self.groups[0], self.groups[1]], 1)
        return (-2 * F.pixel_shuffle(fine, 2)[..., :height, :width]).exp(), (-2 * coarse).exp()

    def _in_bands(self, seen: Tensor) -> Tensor:
        """Return z of bands of rows, each with as many rows around it as the network looks far."""
        rows, columns = seen.shape[-2:]
        step = rows if torch.is_grad_enabled() or seen.is_cuda else max(1, AT_ONCE // columns)
        parts = []
        for top in range(0, rows, step):
            above, bottom = min(top, self.config.depth), min(top + step, rows)
            part = self._layers(seen[:, :, top - above : bottom + self.config.depth])
            parts.append(part[:, :, above : above + bottom - top])
        return torch.cat(parts, 2)

    def _layers(self, h: Tensor) -> Tensor:
        h = F.relu(self.first(h))
        for layer in self.body:
            h = h + F.relu(layer(h))
        return self.last(h)


class GuidedNetwork(nn.Module):
    """A learned proximal network with a guide; load one with `load_denoiser("photo-grey-guided")`.

    Args:
        base: network of the implicit form with two levels; it gets no gradient.
        config: width and depth of the guide.
        seed: start of the guide's weights.

    Attributes:
        base: the network of the first solution.
        guide: z.

    Example:
        >>> from sciml.proximal.settings.structures import RegularizerConfig
        >>> base = ImplicitNetwork(RegularizerConfig(windows=((3,), (3,))))
        >>> noisy = torch.rand(1, 1, 16, 16)
        >>> guided = GuidedNetwork(base, GuideConfig(width=4, depth=2))
        >>> bool(torch.allclose(guided(noisy, 0.1), base(noisy, 0.1), atol=1e-3))
        True
    """

    form = "guided"

    def __init__(self, base: ImplicitNetwork, config: GuideConfig, seed: int = 0) -> None:
        super().__init__()
        if len(base.config.windows) != LEVELS:
            raise ConfigError(f"a guide takes a network of {LEVELS} levels, got {len(base.config.windows)}")
        self.base = base.requires_grad_(False)
        fine, coarse = (base.channels * level.pairs for level in base.regularizer.levels)  # pyright: ignore[reportOperatorIssue]
        self.guide = Guide(config, (fine, coarse), base.channels, seed)  # pyright: ignore[reportArgumentType]
        self.channels, self.sigma_range, self.default_sigma = base.channels, base.sigma_range, base.default_sigma

    @torch.no_grad()
    def of_channels(self, channels: int) -> GuidedNetwork:
        """Return a network of several channels that starts from this one, of 1 channel.

        Its R is that of this one for each orthonormal combination of the channels, whose noise is that of a channel; its guide
        sees the first of them, the mean times the root of their number. Thresholds of the others move half as far: they have
        less structure, where the mean has it. What one channel tells of another is for the training.

        Args:
            channels: of the images.

        Raises:
            ConfigError: this network has several channels itself.
        """
        if self.channels != 1:
            raise ConfigError(f"a network of 1 channel is taken to several, this one has {self.channels}")
        config = self.base.config.model_copy(update={"channels": channels})
        like = self.base.log_weight
        base = ImplicitNetwork(config, self.sigma_range, self.default_sigma, self.base.tolerance, self.base.iterations).to(like)
        base.log_weight.copy_(like)
        for to, level in zip(base.regularizer.levels, self.base.regularizer.levels, strict=True):
            for name, parameter in to.named_parameters():
                own = getattr(level, name)
                if name == "mixing":
                    for first in range(channels):
                        block = [slice(first * size, (first + 1) * size) for size in own.shape]
                        parameter[block[0], block[1]] = own
                else:
                    parameter.copy_(own.repeat(channels, *[1] * (own.ndim - 1)))
        made = GuidedNetwork(base, self.guide.config).to(like)
        state = self.guide.state_dict()
        *pixels, level = state["first.weight"].split([4, 4, 1], 1)
        state["first.weight"] = torch.cat([*(one.repeat(1, channels, 1, 1) / channels**0.5 for one in pixels), level], 1)
        for name in ("last.weight", "last.bias"):
            parts = state[name].split([4 * self.guide.groups[0], self.guide.groups[1]])
            state[name] = torch.cat([torch.cat([part, *[part / 2] * (channels - 1)]) for part in parts])
        made.guide.load_state_dict(state)
        return made

    @torch.no_grad()
    def fixed(self, x: Images, sigma: Sigma | None = None) -> ImplicitNetwork:
        """Return the network of the implicit form whose thresholds are those for a picture.

        It takes images of the picture's size, as many as `x` has (or any number, where `x` is one), and has what such a network
        has: R, its gradient, prox, Jacobian and certificate.

        Args:
            x: first solutions, (batch, channel, height, width), values about [0, 1].
            sigma: noise level, one number or one an image; None: the network's default.

        Raises:
            ShapeError: the images have another number of channels than the network.
        """
        x = self.check_images(x)
        return self.base.stretched(self.thresholds(x, self.base.levels(sigma, x)))

    def thresholds(self, x: Images, levels: Float[Tensor, " batch"]) -> Stretches:
        """Return the stretches for a picture, with the graph of the guide where there is one.

        Args:
            x: first solutions, (batch, channel, height, width), values about [0, 1].
            levels: noise level of each image.
        """
        y = x + self.base.prior_gradient(x, levels)
        if x.shape[1] == COMPLEX * self.channels:
            x, y = (image.unflatten(1, (COMPLEX, -1)).norm(dim=1) for image in (x, y))
        # beyond the noise levels of its training the guide sees the picture with so much less contrast, as R does by its scaling
        low, high = self.sigma_range
        contrast = (high / levels).clamp(max=1)[:, None, None, None]
        seen = [0.5 + contrast * (image - 0.5) for image in (x, y)]
        return self.guide(*seen, levels.clamp(low, high))

    @torch.no_grad()
    def forward(self, y: Images, sigma: Sigma | None = None) -> Images:
        """Return the picture that noise was removed from, without graph.

        Args:
            y: noisy images, (batch, channel, height, width), values about [0, 1].
            sigma: standard deviation of the noise on the same scale, one number or one an image.

        Raises:
            ShapeError: the images have another number of channels than the network.
            NumericalError: one of both problems is not solved within the iterations.
        """
        y = self.check_images(y)
        first = self.base.solve(y, sigma, tolerance=FIRST_TOLERANCE).x
        return self.fixed(first, sigma).solve(y, sigma, start=first).x

    def check_images(self, x: Tensor, what: str = "the images") -> Images:
        """Return `x` without graph; raises as `LearnedProximalNetwork.check_images`, and ShapeError for 3 images in one."""
        x = self.base.check_images(x, what)
        if x.shape[1] > COMPLEX * self.channels:
            raise ShapeError(
                f"{what} have shape {tuple(x.shape)}, but this guide reads {self.channels} channel(s), or real and imaginary "
                "part of as many: take the channels as images"
            )
        return x

    def describe(self) -> dict[str, Any]:
        """Return the description of the base and the settings of the guide."""
        return {"form": self.form, "base": self.base.describe(), "guide": self.guide.config.model_dump(mode="json")}

    @staticmethod
    def from_description(description: Mapping[str, Any]) -> GuidedNetwork:
        """Return the untrained network of `describe`.

        Raises:
            ConfigError: the description names no base of the implicit form, or its settings are wrong.
        """
        base = description.get("base")
        if not isinstance(base, Mapping) or base.get("form") != ImplicitNetwork.form:
            raise ConfigError("the description of a guided network lacks its base, a network of the implicit form")
        config = validated(GuideConfig, description.get("guide"), "the network's description")
        return GuidedNetwork(ImplicitNetwork.from_description(base), config)
