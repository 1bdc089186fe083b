"""Blurred photographs with kernels that are wrong in known ways.

    y = A_k x + n,      A_k x = valid part of k * x in linear light,      n normal with standard deviation sigma

A scene is a photograph x on a canvas and a true kernel k; a pair is a scene with a given kernel k^. A `Problem` is what a solver
may see of a pair; the truth is in another type, which only scores are made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy import signal

from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.errors import FormatError
from sciml.runtime.files import load_tensors

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Problem:
    """What a solver sees of a pair.

    Attributes:
        picture: blurred, linear light.
        given: kernel, canonical.
        sigma: standard deviation of the noise.
        photograph, kernel, error: names: of the photograph, of its true kernel and of what is wrong with the given one.
        device: where `y` lies.
    """

    picture: Float[np.ndarray, "height width"]
    given: Kernel
    sigma: float
    photograph: str
    kernel: str
    error: str
    device: str = "cpu"

    @cached_property
    def y(self) -> Tensor:
        """The picture as a tensor (1, 1, height, width)."""
        import torch  # scores and pages need none

        return torch.from_numpy(self.picture)[None, None].to(self.device)

    @property
    def name(self) -> str:
        """Return a name that no other pair of its set has."""
        return f"{self.photograph} {self.kernel} {self.error}"


@dataclass(frozen=True)
class Truth:
    """What a solver does not see of a pair.

    Attributes:
        canvas: sharp picture (height + 2 margin, width + 2 margin), linear light.
        kernel: the true one.
        margin: of the canvas, in pixels.
    """

    canvas: Float[np.ndarray, "rows columns"]
    kernel: Kernel
    margin: int

    @property
    def picture(self) -> Float[np.ndarray, "height width"]:
        """Return the part that the blurred picture shows."""
        return self.canvas[self.margin : -self.margin, self.margin : -self.margin]

    def residual(self, given: Kernel) -> Float[np.ndarray, "height width"]:
        """Return r = (k - k^) * x, what a given kernel leaves unexplained."""
        return self._blurred(self.kernel) - self._blurred(given)

    def _blurred(self, kernel: Kernel) -> np.ndarray:
        spare = self.margin - len(kernel) // 2
        inner = self.canvas[spare : len(self.canvas) - spare, spare : self.canvas.shape[1] - spare]
        return signal.fftconvolve(inner.astype(np.float64), kernel, mode="valid")


def load_problems(path: Path, photograph: str | None = None, device: str = "cpu") -> list[Problem]:
    """Return what solvers may see of a set's pairs, in order; of one photograph, or of all."""
    tensors, notes = _load(path)
    found = []
    for number, pair in enumerate(notes["pairs"]):
        scene = notes["scenes"][pair["scene"]]
        if photograph in (None, scene["photograph"]):
            names = scene["photograph"], scene["kernel"], pair["error"]
            picture, given = tensors[f"scene.{pair['scene']}.y"], tensors[f"pair.{number}.given"]
            found.append(Problem(picture, given, notes["sigma"], *names, device))
    return found


def load_truths(path: Path, photograph: str | None = None) -> list[Truth]:
    """Return the truth of the pairs, in the order of `load_problems`."""
    tensors, notes = _load(path)
    return [
        Truth(tensors[f"scene.{pair['scene']}.canvas"], tensors[f"scene.{pair['scene']}.kernel"], notes["margin"])
        for pair in notes["pairs"]
        if photograph in (None, notes["scenes"][pair["scene"]]["photograph"])
    ]


def _load(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    tensors, notes = load_tensors(path)
    if "pairs" not in notes:
        raise FormatError(f"{path} holds no pairs: it is no file of the simulate stage")
    return tensors, notes
