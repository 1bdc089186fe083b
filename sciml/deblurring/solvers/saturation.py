"""Large clipped areas of a picture, of which no trusted pixel tells anything: they stay as bright as they are."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sciml.deblurring.solvers.image import MaskedBlur
from sciml.imaging.operators.kernels import Kernel

SHARPNESS = 8.0


def kept_bright(
    x: Float[Tensor, "1 channel rows columns"],
    y: Float[Tensor, "1 channel height width"],
    kernel: Kernel,
    mask: Float[Tensor, "height width"],
    clipped: Bool[Tensor, "1 1 height width"],
) -> Float[Tensor, "1 channel rows columns"]:
    """Return an image with the picture's own values where it is clipped and hardly any trusted pixel sees the place.

    With w(p) the share of trusted pixels among those that see p,

        x <- v x + (1 - v) y  where clipped,     v = min(1, 8 w),     w = A^T M / A^T 1

    A solver fills such an area with a smooth grey. Near its border trusted pixels tell how bright it is, and x is kept.

    Args:
        x: on a canvas around the picture.
        y: picture.
        kernel: odd, sum 1.
        mask: 1 where pixels are trusted.
        clipped: where the picture is saturated.
    """
    trusted = mask[None, None]
    blur, every = MaskedBlur(kernel, y[:, :1], mask), MaskedBlur(kernel, y[:, :1])
    seen = every.A_adjoint(torch.ones_like(trusted)).clamp(min=1e-6)
    share = every.crop(blur.A_adjoint(torch.ones_like(trusted)) / seen)
    told = torch.where(clipped, (SHARPNESS * share).clamp(0, 1), 1)
    margin = (x.shape[-1] - y.shape[-1]) // 2
    inner, x = slice(margin, -margin or None), x.clone()
    x[..., inner, inner] = torch.lerp(y, x[..., inner, inner], told)
    return x
