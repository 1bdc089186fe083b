"""A user's picture as the solvers take it, and results in the form in which the picture was given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sciml.datasets.loaders import LUMA
from sciml.formats.image import linear_to_srgb, srgb_to_linear
from sciml.runtime.errors import ConfigError, DataError, ShapeError

SATURATED, SATURATED_SHARE = 0.98, 0.005
FLOAT_RANGE = (-0.1, 1.1)
Array = NDArray[Any] | Tensor


@dataclass(frozen=True)
class Picture:
    """A picture in linear light and the way back.

    Attributes:
        y: (1, 1 or 3, height, width), float32.
        mask: 1 where a pixel is trusted in all channels, (height, width); None where all are.
        axes: `HW`, `HWC` or `CHW`, of the given array.
        like: what was given, for its type and place.
        top: the given value that stands for 1.
        gamma: None or `srgb`.
        notes: what was done to the picture, in sentences.
        warnings: what may spoil the result, in sentences.
    """

    y: Float[Tensor, "1 channel height width"]
    mask: Float[Tensor, "height width"] | None
    axes: str
    like: Array
    top: float
    gamma: str | None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def display(self, x: Float[Tensor, "any channel height width"]) -> Tensor:
        """Return an image in linear light in the picture's own values, on the scale 0 to 1."""
        return x if self.gamma is None else srgb_encoded(x)

    def back(self, x: Float[Tensor, "1 channel height width"]) -> Array:
        """Return an image in linear light as the picture was given: layout, scale, type, numpy or torch.

        Whole numbers are clipped to their range and rounded; floats stay as they are.
        """
        values = self.display(x) * self.top
        if not _is_float(self.like):
            values = values.double().round().clamp(0, self.top)
        return self._laid_out(values, keep_type=True)

    def plain(self, x: Float[Tensor, "1 channel height width"], scale: bool = False) -> Array:
        """Return values in linear light as floats in the layout of the picture; `scale` multiplies them by its largest value."""
        return self._laid_out(x * self.top if scale else x, keep_type=False)

    def luminance(self) -> tuple[Float[Tensor, "1 1 height width"], float]:
        """Return the luminance and the standard deviation of its noise in units of that of a channel."""
        if self.y.shape[1] == 1:
            return self.y, 1.0
        weights = self.y.new_tensor(LUMA)
        return (self.y * weights[:, None, None]).sum(1, keepdim=True), float(weights.norm())

    def _laid_out(self, x: Tensor, keep_type: bool) -> Array:
        result = {"HW": lambda: x[0, 0], "HWC": lambda: x[0].permute(1, 2, 0), "CHW": lambda: x[0]}[self.axes]().contiguous()
        if isinstance(self.like, Tensor):
            return result.to(self.like.device, self.like.dtype if keep_type else result.dtype)
        array = result.cpu().numpy()
        return array.astype(self.like.dtype) if keep_type else array


def srgb_encoded(x: Tensor) -> Tensor:
    """Return display values of linear light."""
    return torch.from_numpy(linear_to_srgb(x.detach().cpu().numpy())).to(x)


def read_picture(image: Array, mask: Array | None = None, gamma: str | None = None) -> Picture:
    """Return a picture in linear light with the pixels that can be trusted.

    Args:
        image: (height, width), (height, width, 1, 3 or 4), or for tensors also (1 or 3, height, width); floats on the scale 0 to
            1, or unsigned integers, which are divided by their type's largest value. A fourth channel is dropped.
        mask: nonzero where a pixel is trusted, of the picture's height and width, with or without its channels. By default
            pixels at 0.98 and above are left out as saturated, if they are more than half a percent and none exceeds 1.
        gamma: None where values are proportional to light, `srgb` for display values.

    Raises:
        ShapeError: another shape.
        DataError: values that are not finite where the mask trusts them, a constant picture, values of another scale or type.
        ConfigError: an unknown gamma.
    """
    if gamma not in (None, "srgb"):
        raise ConfigError(f"gamma is None (values proportional to light) or 'srgb' (display values), got {gamma!r}")
    if not isinstance(image, Tensor):
        image = np.asarray(image)
    values, axes, notes = _planes(image)
    top = _top(image)
    values = values.double() / top
    trusted = _trusted(mask, values, axes)
    _check_values(values, trusted)
    values = torch.where(trusted, values, values[:, trusted].median())
    warnings: list[str] = []
    if mask is None and float(values.max()) <= 1:
        saturated = (values >= SATURATED).any(0)
        share = float(saturated.double().mean())
        if share > SATURATED_SHARE:
            trusted = ~saturated
            warnings.append(f"{share:.1%} of the picture is saturated and was left out: no blur explains a clipped value.")
            if not bool(trusted.any()):
                raise DataError("every pixel is saturated: there is no picture to deblur")
    if gamma == "srgb":
        values = torch.from_numpy(srgb_to_linear(values.cpu().numpy())).to(values)
        notes.append("Display values (sRGB) were made proportional to light, and the result is encoded again.")
    kept = None if bool(trusted.all()) else trusted.float()
    return Picture(values.float()[None], kept, axes, image, top, gamma, tuple(notes), tuple(warnings))


def _planes(image: Array) -> tuple[Tensor, str, list[str]]:
    """Return the channels first, the axes of the given array, and notes."""
    shape, notes = tuple(image.shape), []
    if isinstance(image, Tensor):
        values = image.detach()
    elif image.dtype.kind in "uf":
        # torch knows no wider unsigned type, and no foreign byte order
        values = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float64))
    else:
        raise DataError(f"a picture holds floats or unsigned integers, got {image.dtype}: convert it and give its scale")
    if len(shape) == 2:
        return values[None], "HW", notes
    if len(shape) == 3 and shape[-1] in (1, 3, 4):
        if shape[-1] == 4:
            notes.append("The fourth channel (alpha) was dropped.")
        return values.permute(2, 0, 1)[:3], "HWC", notes
    if len(shape) == 3 and shape[0] in (1, 3) and isinstance(image, Tensor):
        return values, "CHW", notes
    raise ShapeError(f"a picture has shape (height, width) or (height, width, 3), got {shape}; one picture at a time")


def _is_float(image: Array) -> bool:
    return image.dtype.is_floating_point if isinstance(image, Tensor) else image.dtype.kind == "f"


def _top(image: Array) -> float:
    """Return the value that stands for 1: the type's largest, for whole numbers."""
    if _is_float(image):
        return 1.0
    if isinstance(image, Tensor):
        if image.dtype not in (torch.uint8, torch.uint16, torch.uint32):
            raise DataError(f"a picture holds floats or unsigned integers, got {image.dtype}: convert it and give its scale")
        return float(torch.iinfo(image.dtype).max)
    return float(np.iinfo(image.dtype).max)


def _trusted(mask: Array | None, values: Tensor, axes: str) -> Tensor:
    """Return where pixels are trusted in all channels, (height, width)."""
    size = tuple(values.shape[1:])
    if mask is None:
        return torch.ones(size, dtype=torch.bool, device=values.device)
    chosen = torch.as_tensor(np.asarray(mask) if not isinstance(mask, Tensor) else mask, device=values.device) != 0
    if chosen.ndim == 3:
        chosen = chosen.all(0 if axes == "CHW" else -1)
    if tuple(chosen.shape) != size:
        raise ShapeError(f"the mask has the picture's height and width {size}, got shape {tuple(mask.shape)}")
    if not bool(chosen.any()):
        raise DataError("the mask trusts no pixel: it is nonzero where pixels are to be used")
    return chosen


def _check_values(values: Tensor, trusted: Tensor) -> None:
    seen = values[:, trusted]
    finite = seen.isfinite()
    if not bool(finite.all()):
        place = tuple((~values.isfinite() & trusted).nonzero()[0].tolist())
        raise DataError(
            f"the picture holds {int((~finite).sum())} NaN or infinite values, the first at channel, row, column {place}: "
            "repair them, or leave them out with a mask"
        )
    low, high = float(seen.min()), float(seen.max())
    if low == high:
        raise DataError(f"the picture is constant, every value is {low:g}: there is nothing to deblur")
    if low < FLOAT_RANGE[0] or high > FLOAT_RANGE[1] or not math.isfinite(high):
        raise DataError(f"the picture has values from {low:.3g} to {high:.3g}, expected 0 to 1: divide it by its white level")
