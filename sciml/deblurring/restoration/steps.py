"""The steps of one restoration and what is known between them, so that it can end at any time with the best so far."""

from __future__ import annotations

import math
import warnings as python_warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.deblurring.correction.estimate import noise_std as estimated_noise
from sciml.deblurring.correction.kernel_step import KernelStep, corrected_kernel
from sciml.deblurring.correction.sensitivity import bootstrap_std
from sciml.deblurring.dip.result import Snapshot
from sciml.deblurring.dip.warm import warm_fit
from sciml.deblurring.files.picture import SATURATED, Array, Picture
from sciml.deblurring.kernels.canonical import NOTHING_TO_DEBLUR, Canonical, together
from sciml.deblurring.kernels.shake import Shake
from sciml.deblurring.settings.structures import DipConfig
from sciml.deblurring.solvers.image import (
    MaskedBlur,
    map_estimate,
    natural_weight,
    noise_unit,
    picture_weight,
    residual,
    two_norm,
)
from sciml.deblurring.solvers.saturation import kept_bright
from sciml.deblurring.solvers.tiles import LEARNED_SIDE, SIDE, Place, in_tiles, once, parts_of
from sciml.imaging.operators.kernels import Kernel
from sciml.imaging.priors import at_noise, resolve
from sciml.runtime.seeds import Seeds

Curves = dict[str, list[tuple[int, float]]]
OnProgress = Callable[[str, Array], None]
QUIET, LEAST_NOISE = 0.002, 1 / 255 / math.sqrt(12)
INCONSISTENT, CORNER = 1.5, 64
LEAST_SIDE = 48


class Part(NamedTuple):
    """A part of the picture that is restored by itself.

    Attributes:
        y: with its halo, (1, channel, rows, columns).
        mask: 1 where pixels are trusted, or None.
        start: first guess on its canvas, or None.
        kernel: that blurred it.
        unit: norm of the kernel, relative to that of the picture's own.
    """

    y: Tensor
    mask: Tensor | None
    start: Tensor | None
    kernel: Kernel
    unit: float


class Restoration:
    """One restoration. Arguments are those of `sciml.deblurring.deblur`, checked; of a shake the kernel given is the middle's.

    Attributes:
        x: latent image on the canvas of `kernel`.
        kernel: the best so far.
        sigma: standard deviation of the noise.
        residual: a network's estimate of what the kernel leaves unexplained, or None.
        spread: map over the picture, in display values, or None.
        step: the fit of the kernel, or None.
        curves, stop_reason, interrupted, sentences, warnings: as in `Deblurred`.
    """

    def __init__(
        self,
        picture: Picture,
        given: Canonical,
        prior: str,
        error: str,
        weight: float | None,
        seed: int,
        dip: DipConfig,
        on_progress: OnProgress | None,
        checkpoint: Path | None = None,
        shake: Shake | None = None,
    ) -> None:
        self.shake = shake
        self.picture, self.given, self.prior, self.error, self.seed, self.dip = picture, given, prior, error, seed, dip
        self.weight, self.on_progress, self.checkpoint = weight, on_progress, checkpoint
        self.sentences, self.warnings = [*picture.notes, *given.notes], list(picture.warnings)
        self.delta = np.count_nonzero(given.kernel) == 1
        if self.delta and NOTHING_TO_DEBLUR not in given.notes:
            self.sentences.append(NOTHING_TO_DEBLUR)
        # until there is a better one
        self.kernel, self.x = (
            given.kernel,
            torch.nn.functional.pad(picture.y, (given.kernel.shape[0] // 2,) * 4, mode="replicate"),
        )
        self.step: KernelStep | None = None
        self.residual: Tensor | None = None
        self.spread: Tensor | None = None
        self.curves: Curves = {}
        self.stop_reason, self.sigma, self.interrupted = "", 0.0, False
        self._variation_weight = 0.0
        self._size = (int(picture.y.shape[-2]), int(picture.y.shape[-1]))
        # a part is so small that the turn moves the middles of its sides by a quarter of a pixel (rms) otherwise than its own
        self._most = SIDE if shake is None else max(LEAST_SIDE, round(min(SIDE, 0.5 / max(shake.turn, 1e-9))))
        if shake is not None:
            self.sentences.append(
                f"The kernel varies over the picture: the camera turned by {math.degrees(shake.turn):.2f} degrees (standard "
                f"deviation over the exposure). Parts of about {self._most} pixels have a kernel each, which is not corrected."
            )

    def find_noise(self, given: float | None) -> None:
        """Set sigma to the given number or to an estimate."""
        if given is None:
            with python_warnings.catch_warnings():
                python_warnings.simplefilter("ignore", UserWarning)
                found = estimated_noise(self.picture.y)
            self.sigma = max(found, LEAST_NOISE)
            self.sentences.append(f"The noise was estimated from the picture: standard deviation {found:.4f} in linear light.")
        else:
            self.sigma = float(given)
        if self.sigma < QUIET:
            self.warnings.append(
                f"The noise is taken as {self.sigma:.4f}, near the rounding to 8 bits (0.0011): what the model does not "
                "describe, such as a wrong kernel or a file's compression, will show. A larger noise_std gives a calmer picture."
            )

    def find_image(self) -> None:
        """Restore with the given kernel, correct it, restore with the corrected one; a large picture with that one alone."""
        corrects = self.error in ("warp", "kernel", "both") and not self.delta and self.shake is None
        if not (corrects and self._in_many_parts()):
            self._tell("restoring with the given kernel")
            self.x = self._variation(self.kernel)
        if corrects:
            self._tell("correcting the kernel")
            self._correct()
        if self.prior == "dip":
            self._tell("fitting untrained networks")
            self._fit_networks()
        elif self.prior != "tv":
            self._tell(f"restoring with the prior {self.prior}")
            self.x = self._by_prior()
        elif self.weight is None:
            factor = self._variation_weight / noise_unit(self.kernel, self.sigma)
            self.sentences.append(
                f"By the picture's gradients total variation has the weight {factor:.2f} in units of the noise."
            )
        self._tell("restored")

    def find_spread(self, count: int, error: str, calibration: tuple[float, float]) -> None:
        """Find the map of spreads over kernels with an error."""
        self._tell("restoring with kernels of the stated error")
        weight = self._tv_weight(self.kernel)
        draws = (error, count, Seeds(self.seed)("spread"), *calibration)

        def solve(part: Part) -> Tensor:
            return bootstrap_std(part.y, part.kernel, weight * part.unit, *draws, part.mask, self.picture.display)

        identity = {"draws": draws, "tv": weight, "gamma": self.picture.gamma}
        self.spread = self._in_parts("restored with kernels of the stated error", solve, self.kernel, 0, identity)
        self.sentences.append(
            f"The map of spreads is the standard deviation over {count} kernels with the error {error}, "
            f"restored by total variation, with a floor of {calibration[1]:g} for all other errors, times {calibration[0]:g}."
        )

    def kernels(self) -> tuple[Kernel, Kernel]:
        """Return the kernel in use and the given one, of one size."""
        return together(self.kernel, self.given.kernel)

    def explained(self) -> tuple[float, Float[Tensor, "1 channel height width"]]:
        """Return the misfit in units of the noise and the residual of the given kernel; warn where the misfit is large.

            r = (k - k^) * x,     misfit^2 = mean over trusted pixels of (y - k * x - R)^2 / sigma^2

        with R the residual of the untrained network, where there is one; it is then r as well.
        """
        y, mask, margin = self.picture.y, self.picture.mask, self.kernel.shape[0] // 2
        target = y if self.residual is None else y - self.residual

        def left_of(rows: slice, columns: slice, place: Place) -> Tensor:
            near = (..., *(slice(cut.start, cut.stop + 2 * margin) for cut in (rows, columns)))
            blur = MaskedBlur(self._kernel_at(place), y[..., rows, columns], None if mask is None else mask[rows, columns])
            return blur.misfit(self.x[near], target[..., rows, columns])

        left = in_tiles(self._size, len(self.kernel), 0, left_of, max(self._size) if self.shake is None else self._most)
        trusted = float(left.numel() if mask is None else mask.sum() * left.shape[1])
        misfit = math.sqrt(float(left.double().square().sum()) / trusted) / self.sigma
        if misfit > INCONSISTENT:
            self.warnings.append(
                f"Kernel inconsistent: what is left of the picture is {misfit:.1f} times the noise. The kernel may be "
                "wrong in a way that is not corrected, such as flipped or turned, or the noise is larger than stated."
            )
        if self.residual is not None:
            return misfit, self.residual
        kernel, given = self.kernels()
        if np.array_equal(kernel, given):
            return misfit, torch.zeros_like(self.picture.y)
        return misfit, residual(self.x, self.kernel, self.given.kernel, self.picture.y)

    def shown(self, x: Tensor | None = None) -> Array:
        """Return an image on a canvas, by default the best so far, in the form of the picture; clipped areas stay bright."""
        x, picture = self.x if x is None else x, self.picture
        if picture.mask is not None:
            clipped = (picture.display(picture.y) >= SATURATED).any(1, keepdim=True)
            x = kept_bright(x, picture.y, self.kernel, picture.mask, clipped)
        return picture.back(self.placed(x))

    def placed(self, x: Tensor) -> Float[Tensor, "1 channel height width"]:
        """Return an image, on the canvas or on the picture, where the given kernel puts it: moved by its shift.

        Whole pixels only: of the half pixel by which an even kernel has no middle, nothing can be known.
        """
        y = self.picture.y
        moves = [math.trunc(move) for move in self.given.shift]
        margin = (x.shape[-2] - y.shape[-2]) // 2
        more = max(0, max(abs(move) for move in moves) - margin)
        x = torch.nn.functional.pad(x, (more,) * 4, mode="replicate")
        top, left = (margin + more - move for move in moves)
        return x[..., top : top + y.shape[-2], left : left + y.shape[-1]]

    def _tv_weight(self, kernel: Kernel) -> float:
        """Return the weight of total variation; a factor of the user's is that of the user's prior."""
        if self.prior != "tv":
            return natural_weight(kernel, self.sigma)
        if self.weight is None:
            return picture_weight(self.picture.y, kernel, self.sigma, self.picture.mask)
        return self.weight * noise_unit(kernel, self.sigma)

    def _in_many_parts(self, side: int = SIDE) -> bool:
        return max(len(parts_of(length, min(side, self._most))) for length in self._size) > 1

    def _kernel_at(self, place: Place) -> Kernel:
        """Return the kernel at a place, rows and columns from the middle of the picture."""
        return self.kernel if self.shake is None else self.shake.kernel(place, len(self.kernel))

    def _variation(self, kernel: Kernel) -> Tensor:
        weight = self._variation_weight = self._tv_weight(kernel)

        def solve(part: Part) -> Tensor:
            return map_estimate(part.y, part.kernel, "tv", weight * part.unit, part.mask)

        return self._in_parts("restored by total variation", solve, kernel, kernel.shape[0] // 2, {"tv": weight})

    def _by_prior(self) -> Tensor:
        kernel, prior, unit = self.kernel, resolve(self.prior), noise_unit(self.kernel, self.sigma)
        if self.weight is not None:
            weight = self.weight * unit
        else:
            named, (prior, weight) = prior, at_noise(prior, self.sigma, two_norm(kernel))
            if prior is not named:
                self.sentences.append(f"By the picture's noise the prior is {prior}, with the weight {weight / unit:.2f}.")

        def solve(part: Part) -> Tensor:
            # of a part there is nothing to be seen before it is done
            see = self._see if part.y.shape[-2:] == self._size else None
            return map_estimate(part.y, part.kernel, prior, weight * part.unit, part.mask, part.start, on_image=see)

        what = f"restored with the prior {self.prior}"
        identity: dict[str, Any] = {self.prior: weight}
        if self.checkpoint is not None and self._in_many_parts(LEARNED_SIDE):
            # a weight file can change under its name: its prox of a corner of the first guess tells
            identity["of the start"] = float(prior.prox(self.x[..., :CORNER, :CORNER], weight).double().sum())
        return self._in_parts(what, solve, kernel, kernel.shape[0] // 2, identity, self.x, LEARNED_SIDE)

    def _in_parts(
        self,
        what: str,
        solve: Callable[[Part], Tensor],
        kernel: Kernel,
        margin: int,
        identity: Mapping[str, Any],
        start: Tensor | None = None,
        side: int = SIDE,
    ) -> Tensor:
        """Return an image of the picture; a large one part by part, each told of and kept for a run that goes on.

        Args:
            what: is done to a part, in words.
            solve: of a part its image.
            kernel: that blurred the picture, of a shake the one in the middle.
            margin: see `in_tiles`.
            identity: JSON values that decide the image beside those.
            start: first guess on the canvas; the parts are written over it.
            side: of a part.
        """
        y, mask = self.picture.y, self.picture.mask

        def image(rows: slice, columns: slice, place: Place) -> Tensor:
            canvas = (..., *(slice(cut.start, cut.stop + 2 * margin) for cut in (rows, columns)))
            at = kernel if self.shake is None else self._kernel_at(place)
            part = Part(
                y=y[..., rows, columns],
                mask=None if mask is None else mask[rows, columns],
                start=None if start is None else start[canvas].clone(),
                kernel=at,
                unit=two_norm(at) / two_norm(kernel),
            )
            if self.checkpoint is None or part.y.shape == y.shape:
                return solve(part)
            given = {"y": part.y, "mask": part.mask, "start": part.start}
            return once(lambda: solve(part), self.checkpoint, {**identity, "kernel": at.tolist()}, given)

        def tell(done: int, count: int) -> None:
            self._tell(f"part {done} of {count} {what}")

        return in_tiles(self._size, kernel.shape[0], margin, image, min(side, self._most), start, tell)

    def _correct(self) -> None:
        luminance, share = self.picture.luminance()
        seed = Seeds(self.seed)("held-out pixels")
        step = corrected_kernel(luminance, self.kernel, share * self.sigma, self.error, self.picture.mask, seed)
        x = self._variation(step.kernel) if step.corrected_by or self._in_many_parts() else self.x
        # together, so that an interruption in between leaves an image and its own kernel
        self.step, self.kernel, self.x = step, step.kernel, x
        self.sentences += step.sentences
        self.warnings += step.warnings
        if step.held_out:
            self.curves["held-out misfit of kernels"] = list(enumerate(step.held_out.values()))

    def _see(self, x: Tensor) -> None:
        # each iterate lowers the objective of the wanted prior, so it is the best so far
        self.x = x
        self._tell(f"restoring with the prior {self.prior}")

    def _fit_networks(self) -> None:
        y = self.picture.y
        mode = "residual" if self.error == "residual" else "none"
        changes: dict[str, object] = {"mode": mode}
        if self.weight is not None:
            changes["tv_weight"] = self.weight
        config = self.dip.model_copy(update=changes)

        def look(x: Tensor, residual: Tensor | None, snapshot: Snapshot) -> None:
            self.x, self.residual = x, residual
            self._tell(f"step {snapshot.iteration} of at most {config.iterations} of the untrained networks", x)

        found = warm_fit(
            y,
            self.kernel,
            self.sigma,
            self._tv_weight(self.kernel),
            config,
            Seeds(self.seed)("networks"),
            None if self.picture.mask is None else self.picture.mask[None, None],
            start=self.x,
            on_image=look,
            folder=self.checkpoint,
        )
        fit = found.fit
        self.x, self.residual, self.stop_reason = found.image, None if fit.fell_back else fit.residual, fit.reason
        self.curves |= fit.curves
        if fit.fell_back:
            self.warnings.append(f"The untrained networks {fit.reason}; the result is that of total variation.")
        else:
            self.sentences.append(
                f"Untrained networks took {fit.iterations} steps: {fit.reason}. "
                f"{fit.share:.0%} of their change was kept, by pixels that they had not seen."
            )

    def _tell(self, what: str, x: Tensor | None = None) -> None:
        if self.on_progress is not None:
            self.on_progress(what, self.shown(x))
