"""What every learned proximal network offers, whichever form it has.

A learned proximal network f is the proximal operator of a regulariser R, by construction and for any weights:

    f(y) = prox_R(y) = argmin_x 1/2 ||x - y||^2 + R(x)

* explicit: f = grad psi for a learned convex psi (Fang, Buchanan and Sulam, ICLR 2024); R = psi* - 1/2 ||.||^2 follows;
* implicit: R is learned as a weakly convex function and f(y) is solved for; psi = (R + 1/2 ||.||^2)* follows.

Both are known at a noise level sigma: R_sigma is the regulariser whose prox removes white noise of that standard deviation.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sciml.proximal.networks.weight_files import weight_file
from sciml.runtime.errors import ConfigError, DataError, ShapeError

if TYPE_CHECKING:
    from deepinv.models import Denoiser
    from deepinv.optim import Prior

    from sciml.imaging.priors import Certificate

# by name, since it builds on networks and no work of a stage depends on it
PLUGIN = "sciml.proximal.plugins.deepinv"
# noise levels above the training by more than this are those of other units
OTHER_UNITS = 10.0

Images = Float[Tensor, "batch channel height width"]
Sigma = float | Float[Tensor, " batch"]


@dataclass(frozen=True)
class PriorValues:
    """R at given images, and how it was found.

    Attributes:
        value: R(x) of each image; +inf where x is outside the range of f.
        outside: whether no y with f(y) = x was found: x is outside the range of f, as far as floating point can tell.
        residual: ||f(y) - x|| / ||x|| of the inversion; 0 where R is known in closed form.
        point: y with f(y) = x, so that the gradient of R is y - x.
    """

    value: Float[Tensor, " batch"]
    outside: Bool[Tensor, " batch"]
    residual: Float[Tensor, " batch"]
    point: Images


class LearnedProximalNetwork(nn.Module):
    """Base of both forms; load one with `LearnedProximalNetwork.load("photo-grey")`.

    A form names itself where its class is made, `class ExplicitNetwork(LearnedProximalNetwork, form="explicit")`, and is then
    known to `build` and `load`. `sciml.proximal.networks.forms` brings both; it is the module to import this class from in order
    to load.

    Attributes:
        form: `implicit` or `explicit`.
        channels: channels of an image; an image with a multiple of them (real and imaginary part) is treated jointly.
        sigma_range: noise levels that it was trained for, (lowest, highest).
        default_sigma: the noise level that is meant when none is given.

    Example:
        >>> lpn = LearnedProximalNetwork.load("photo-grey")  # doctest: +SKIP
        >>> clean = lpn(noisy, sigma=0.1)  # doctest: +SKIP
        >>> lpn.prior(clean)  # doctest: +SKIP
    """

    form: ClassVar[str]
    forms: ClassVar[dict[str, type[LearnedProximalNetwork]]] = {}
    channels: int
    sigma_range: tuple[float, float]
    default_sigma: float

    def __init_subclass__(cls, form: str | None = None, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if form is not None:
            cls.form = form
            LearnedProximalNetwork.forms[form] = cls

    @abstractmethod
    def forward(self, y: Images, sigma: Sigma | None = None) -> Images:
        """Return f_sigma(y), without graph; `y` is left alone.

        Args:
            y: noisy images, values about [0, 1], shape (batch, channel, height, width).
            sigma: standard deviation of the noise on the same scale: one number, or one an image.
        """

    @abstractmethod
    def evaluate(self, y: Images, sigma: Sigma | None = None) -> tuple[Images, Float[Tensor, " batch"]]:
        """Return f(y) and R(f(y)), which costs no inversion: R(f(y)) = <y, f(y)> - 1/2 ||f(y)||^2 - psi(y)."""

    @abstractmethod
    def prior_values(self, x: Images, sigma: Sigma | None = None) -> PriorValues:
        """Return R(x) and how it was found."""

    def prior(self, x: Images, sigma: Sigma | None = None) -> Float[Tensor, " batch"]:
        """Return R(x) of each image; +inf outside the range of f."""
        return self.prior_values(x, sigma).value

    def prior_gradient(self, x: Images, sigma: Sigma | None = None) -> Images:
        """Return the gradient of R, f^-1(x) - x.

        Raises:
            NumericalError: an image is outside the range of f.
        """
        return self.prior_value_and_gradient(x, sigma)[1]

    @abstractmethod
    def prior_value_and_gradient(self, x: Images, sigma: Sigma | None = None) -> tuple[Float[Tensor, " batch"], Images]:
        """Return R(x) of each image and its gradient, at the cost of one of them.

        Raises:
            NumericalError: an image is outside the range of f.
        """

    @abstractmethod
    def prox(self, v: Images, weight: Sigma, sigma: Sigma | None = None) -> Images:
        """Return argmin_x 1/2 ||x - v||^2 + weight R(x); `weight` one number or one an image, `forward` is weight 1."""

    @abstractmethod
    def jacobian_product(self, y: Images, v: Images, sigma: Sigma | None = None) -> Images:
        """Return J v with J the Jacobian of f at y, which is symmetric and positive semidefinite."""

    @abstractmethod
    def certificate(self, sigma: Sigma | None = None) -> Certificate:
        """Return what is proved of R_sigma for these weights."""

    def as_prior(self) -> Prior:
        """Return R as a `deepinv.optim.Prior`, for deepinv's optimisers and unfolded networks.

        Raises:
            MissingPackage: deepinv is not installed.
        """
        return import_module(PLUGIN).LearnedPrior(self)

    def as_denoiser(self) -> Denoiser:
        """Return f as a `deepinv.models.Denoiser`.

        Raises:
            MissingPackage: deepinv is not installed.
        """
        return import_module(PLUGIN).LearnedDenoiser(self)

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return the JSON values from which `build` makes the same network, without its weights."""

    @classmethod
    @abstractmethod
    def from_description(cls, description: Mapping[str, Any]) -> LearnedProximalNetwork:
        """Return an untrained network of this form; raises as `build`."""

    @staticmethod
    def build(description: Mapping[str, Any]) -> LearnedProximalNetwork:
        """Return an untrained network of a description.

        Raises:
            ConfigError: the description names no known form, or its settings are wrong.
        """
        wanted = description.get("form")
        if wanted == "guided":
            raise ConfigError("this is a network with a guide, which is no proximal operator of one R: take load_denoiser")
        made = next((cls for form, cls in LearnedProximalNetwork.forms.items() if form == wanted), None)
        if made is None:
            raise ConfigError(f"a learned proximal network is implicit or explicit, its description says {wanted!r}")
        return made.from_description(description)

    @staticmethod
    def load(name: str | Path) -> LearnedProximalNetwork:
        """Return a network with its trained weights, in evaluation mode.

        Args:
            name: one of `shipped()`, or the path of a weight file written by `sciml proximal train`.

        Raises:
            DataError: there is no such file.
            FormatError, ShapeError: the file is a pickle, damaged, no weight file of this workbench, or does not fit its
                description.
            ConfigError: the file is a weight file of something else than a learned proximal network.
        """
        from sciml.training import load_weights, read_weights_metadata

        path = weight_file(name)
        description = read_weights_metadata(path)["extra"].get("network")
        if not isinstance(description, Mapping):
            raise ConfigError(f"{path} holds no learned proximal network: its metadata lacks extra.network")
        network = LearnedProximalNetwork.build(description)
        load_weights(path, network)
        network.check_weights(str(path))
        return network.eval()

    def check_weights(self, where: str) -> None:
        """Refuse weights that are not finite.

        Raises:
            DataError: names the tensor.
        """
        for key, tensor in self.state_dict().items():
            if not bool(tensor.isfinite().all()):
                raise DataError(f"{where}: weight {key} holds NaN or infinity; train it again")

    def levels(self, sigma: Sigma | None, like: Images) -> Float[Tensor, " batch"]:
        """Return one noise level an image.

        Raises:
            ConfigError: a level is not positive and finite, or there are neither one nor as many as images.
        """
        given = self.default_sigma if sigma is None else sigma
        levels = torch.as_tensor(given, dtype=like.dtype, device=like.device).reshape(-1)
        if levels.numel() not in (1, len(like)) or not bool((levels > 0).all() and levels.isfinite().all()):
            raise ConfigError(f"sigma is one number above 0, or one an image ({len(like)}), got {levels.tolist()}")
        low, high = self.sigma_range
        if float(levels.max()) > OTHER_UNITS * high:
            warnings.warn(
                f"sigma {float(levels.max()):.3g} is far above the training, {low:g} to {high:g}: are the values on 0 to 255? "
                "Divide images and sigma by 255",
                stacklevel=3,
            )
        return levels.expand(len(like))

    def check_images(self, x: Tensor, what: str = "the images") -> Images:
        """Return `x` without graph.

        Raises:
            ShapeError: not (batch, channel, height, width) with the network's channels, empty, or not real floats.
            DataError: NaN or infinity, with the position of the first.
        """
        if not isinstance(x, Tensor):
            raise ShapeError(f"{what} are {type(x).__name__}, expected a tensor: torch.from_numpy makes one of an array")
        if x.ndim != 4 or x.shape[1] == 0 or x.shape[1] % self.channels or x.numel() == 0:
            raise ShapeError(f"{what} have shape {tuple(x.shape)}, expected (batch, {self.channels}, height, width)")
        if not x.dtype.is_floating_point:
            raise ShapeError(f"{what} are {x.dtype}, expected real floats with values about [0, 1]")
        x = x.detach()
        if not bool(x.isfinite().all()):
            position = tuple((~x.isfinite()).nonzero()[0].tolist())
            raise DataError(f"{what} hold {float(x[position])} at (image, channel, row, column) = {position}")
        return x
