"""Correct a given kernel as far as the picture itself asks for it.

Three steps, each kept only where the restoration with its kernel predicts held-out pixels better
(`sciml.deblurring.correction.held_out_misfit`): of a kernel with gaps a completion, which finds pixels that are missing; a
warp of three numbers, which takes up most of a wrong turn, scale or width; and a refinement pixel by pixel.

A warp can also make up for what is missing, and then be far off. On 20 validation pairs of shakes without 30 to 60 % of their
pixels, a warp alone lost more than .3 dB in 7 and up to 10.9 dB, with gains of held-out pixels up to 26 %, as large as those
of true turns and scales. So the warp of a kernel with gaps starts from the completed one, needs a larger gain, and is refused
where it is large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.deblurring.correction.completion import completions, has_gaps
from sciml.deblurring.correction.held_out_misfit import HeldOut
from sciml.deblurring.correction.refine import refined_kernel
from sciml.deblurring.correction.warp import Warp, fit_warp
from sciml.deblurring.kernels.canonical import together
from sciml.deblurring.kernels.warp import trimmed
from sciml.deblurring.settings.grid import RIDGE_MARGIN, WARP_MARGIN
from sciml.deblurring.solvers.image import natural_weight
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.errors import DataError

# side of a picture for which the margins are meant: chance differences of the held-out misfit fall with the root of the pixels
JUDGED = 128
LARGEST_FIT = 192
# of sigma |k|_2 in restorations that judge kernels. There the held-out misfit itself is about least, and so is the bias between
# kernels: at twice the weight one that is too small is favoured, since the image is too smooth, at half of it one too smooth
EVIDENCE_FACTOR = 0.4
# least gain of the warp of a kernel with gaps, and from which turn in degrees and log of the scale on it is refused
GAPS_MARGIN, LARGE_TURN, LARGE_SCALE = 0.05, 20.0, math.log(1.3)
# below this gain a correction is doubtful: completed kernels of validation pairs that gained less gave the picture .25 dB at most
DOUBTFUL = 0.05
Verdict = Literal["confident", "doubtful", "unchanged"]


@dataclass(frozen=True)
class KernelStep:
    """A kernel and why it is what it is.

    Attributes:
        kernel: odd, at most a little larger than the given one.
        verdict: `unchanged` where the given kernel was kept, `doubtful` where it predicts held-out pixels less than 5 % better or
            a large warp was refused, else `confident`.
        warp: the fit of a turn, scale and width, or None.
        corrected_by: of `completion`, `warp` and `ridge` what was kept.
        gain: fall of the held-out misfit by all that was kept, as a share.
        held_out: by name, the held-out misfit of each kernel relative to the given one's.
        sentences: what was done and why.
        warnings: what could not be judged.
    """

    kernel: Kernel
    verdict: Verdict = "unchanged"
    warp: Warp | None = None
    corrected_by: tuple[str, ...] = ()
    gain: float = 0.0
    held_out: dict[str, float] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def corrected_kernel(
    y: Float[Tensor, "1 1 height width"],
    kernel: Kernel,
    sigma: float,
    error: str,
    mask: Float[Tensor, "height width"] | None = None,
    seed: int = 0,
    evidence: HeldOut | None = None,
) -> KernelStep:
    """Return the kernel that predicts held-out pixels best, or the given one where none does so clearly.

    A picture of more than 192 pixels a side is judged by its part of that size with the strongest edges: a kernel has far fewer
    unknowns than that.

    Args:
        y: luminance, linear light.
        kernel: canonical.
        sigma: standard deviation of the noise of y.
        error: `warp`, missing pixels and then a warp; `kernel`, each pixel a little; or `both`.
        mask: 1 where pixels are trusted.
        seed: of the held-out pixels.
        evidence: that of the picture for this kernel, where several error models are compared; made by default.
    """
    part = busiest(y, mask, max(LARGEST_FIT, 8 * kernel.shape[0]))
    y, mask = y[(..., *part)], None if mask is None else mask[part]
    weight = natural_weight(kernel, sigma)
    try:
        evidence = evidence or evidence_of(y, sigma, mask, seed)
    except DataError as reason:
        return KernelStep(kernel, warnings=(f"The kernel was kept, since it cannot be judged: {reason}.",))
    found, warp, kept, sentences, refused = kernel, None, [], [], []
    known: dict[str, float] = {}
    if error in ("warp", "both"):
        margin, gaps = WARP_MARGIN * JUDGED / math.sqrt(y.shape[-2] * y.shape[-1]), has_gaps(kernel)
        if gaps:
            candidates = completions(y, kernel, sigma, mask)
            misfits = evidence([kernel, *candidates])
            best = int(misfits[1:].argmin())
            known["completion"] = math.exp(misfits[1 + best] - misfits[0])
            better = 1 - known["completion"]
            if better > margin:
                found = candidates[best]
                kept.append("completion")
                sentences.append(
                    f"Missing pixels of the kernel were completed: held-out pixels are predicted {better:.1%} better."
                )
            else:
                sentences.append("The kernel has gaps, but the completed one does not predict held-out pixels clearly better.")
            margin = max(margin, GAPS_MARGIN)
        warp = fit_warp(found, evidence, sigma, margin)
        if gaps and not warp.kept and (abs(warp.angle_degrees) > LARGE_TURN or abs(math.log(warp.scale)) > LARGE_SCALE):
            refused.append(
                f"A kernel turned by {warp.angle_degrees:.1f} degrees and scaled by {warp.scale:.2f} predicts held-out pixels "
                f"{warp.gain:.1%} better, but was not taken: where pixels are missing, a change so large is mostly wrong."
            )
            warp = replace(warp, kernel=found, kept=True)
        else:
            sentences.append(_told(warp, margin, kept))
        if not warp.kept:
            found, known["warp"] = warp.kernel, _kept_misfit(known, kept) * (1 - warp.gain)
            kept.append("warp")
    if error in ("kernel", "both"):
        # in no larger a square than its own: empty pixels around it would fill with noise
        refined = refined_kernel(y, trimmed(found) if kept else kernel, weight, mask)
        before, after = evidence([*together(found, refined)])
        better = 1 - math.exp(after - before)
        known["ridge"] = _kept_misfit(known, kept) * (1 - better)
        if better > RIDGE_MARGIN:
            found = refined
            kept.append("ridge")
            sentences.append(f"The kernel was refined pixel by pixel: held-out pixels are predicted {better:.1%} better.")
        else:
            sentences.append("The kernel refined pixel by pixel was not taken: it does not predict held-out pixels better.")
    gain = 1 - _kept_misfit(known, kept)
    sure: Verdict = "doubtful" if refused or gain < DOUBTFUL else "confident"
    verdict = sure if kept else "unchanged"
    result, held_out = trimmed(found) if kept else kernel, {"given": 1.0, **known}
    return KernelStep(result, verdict, warp, tuple(kept), gain, held_out, tuple(sentences), tuple(refused))


def _kept_misfit(known: dict[str, float], kept: list[str]) -> float:
    """Return the held-out misfit of what was kept so far, as a share of the given kernel's."""
    return known[kept[-1]] if kept else 1.0


def evidence_of(y: Float[Tensor, "1 1 height width"], sigma: float, mask: Tensor | None = None, seed: int = 0) -> HeldOut:
    """Return the held-out misfit at the weight at which kernels are judged; raises DataError where it cannot judge."""
    return HeldOut(y, EVIDENCE_FACTOR * sigma, mask, seed=seed)


def _told(warp: Warp, margin: float, kept: list[str]) -> str:
    given = "completed" if kept else "given"
    if warp.refused:
        return (
            f"The {given} kernel was kept: one {warp.refused:.2f} times as large predicts held-out pixels {warp.gain:.1%} better"
            ", as larger ones do of any smooth picture."
        )
    if warp.kept:
        return (
            f"The {given} kernel was kept: the best of {warp.tried} corrected ones predicts held-out pixels only {warp.gain:.1%} "
            f"better, less than the {margin:.1%} asked for."
        )
    changes = [f"turned by {warp.angle_degrees:.1f} degrees", f"scaled by {warp.scale:.2f}"]
    if warp.variance:
        changes.append(
            f"{'smoothed' if warp.variance > 0 else 'sharpened'} by a variance of {abs(warp.variance):.2f} square pixels"
        )
    return f"The kernel was {', '.join(changes)}: held-out pixels are predicted {warp.gain:.1%} better."


def busiest(y: Float[Tensor, "1 1 height width"], mask: Tensor | None, largest: int) -> tuple[slice, slice]:
    """Return the rows and columns of the part, at most `largest` a side, with the largest sum of trusted differences."""
    height, width = int(y.shape[-2]), int(y.shape[-1])
    rows, columns = min(height, largest), min(width, largest)
    if (rows, columns) == (height, width):
        return slice(0, height), slice(0, width)
    energy = torch.zeros_like(y)
    energy[..., 1:, :] += y.diff(dim=-2).abs()
    energy[..., :, 1:] += y.diff(dim=-1).abs()
    if mask is not None:
        energy = energy * mask
    sums = torch.nn.functional.pad(energy[0, 0].double(), (1, 0, 1, 0)).cumsum(0).cumsum(1)
    windows = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    best = int(windows.argmax())
    top, left = divmod(best, windows.shape[1])
    return slice(top, top + rows), slice(left, left + columns)
