"""Blurs that can be differentiated in the kernel: with the valid boundary, and with the circular one for comparison."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import Kernel


class LearnableBlur(ValidBlur):
    """Valid convolution that can be differentiated in the kernel: y = crop(F^-1[F(k) F(x)]) with k a tensor."""

    def with_kernel(
        self, x: Float[Tensor, "1 channel rows columns"], kernel: Float[Tensor, "size size"]
    ) -> Float[Tensor, "1 channel height width"]:
        """Return the picture blurred by `kernel`, of the size of the operator's own."""
        transfer = torch.fft.rfft2(centred(kernel, self._length))
        return self.crop(torch.fft.irfft2(torch.fft.rfft2(x, s=self._length) * transfer, s=self._length))


class CircularBlur(LearnableBlur):
    """Convolution of a picture that goes on from its other side: y = F^-1[F(k) F(x)], the canvas being the picture itself.

    Few real pictures do so: what lies beyond the frame has blurred into it. The released program and most tables of the
    literature have this boundary.
    """

    def __init__(
        self, kernel: Kernel, size: tuple[int, int], dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(kernel, size, dtype, device)
        self.canvas, self._length = size, size
        self._transfer = torch.fft.rfft2(centred(self.kernel, size))

    def A_adjoint(
        self, y: Float[Tensor, "batch channel height width"], **kwargs: object
    ) -> Float[Tensor, "batch channel height width"]:
        """Return the exact adjoint."""
        return torch.fft.irfft2(torch.fft.rfft2(y) * self._transfer.conj(), s=self.size)

    def crop(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel height width"]:
        """Return `x`: all of it lies inside the picture."""
        return x


def centred(kernel: Float[Tensor, "size size"], length: tuple[int, int]) -> Float[Tensor, "rows columns"]:
    """Return the kernel among zeros with its middle pixel at the origin."""
    margin = kernel.shape[0] // 2
    padded = torch.nn.functional.pad(kernel, (0, length[1] - kernel.shape[1], 0, length[0] - kernel.shape[0]))
    return torch.roll(padded, (-margin, -margin), (0, 1))
