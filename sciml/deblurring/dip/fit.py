"""Deblurring by untrained networks when the kernel is only roughly known: the deep residual prior and what it is compared with.

One loop serves all modes. `none` is the deep image prior with total variation; `residual` is the method of Tang et al.
("Uncertainty-aware unsupervised image deblurring with deep residual prior", CVPR 2023) as it is written there,
y = k_hat * x + R + h with R from a second network and h sparse in the cosine domain; `kernel` learns k_hat + dk on the simplex in
place of R; `both` does both; `official` minimises what the released program does, for comparison.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sciml.deblurring.dip.blend import blended, misfits
from sciml.deblurring.dip.objective import Canvas, Objective, Picture, simplex_projection
from sciml.deblurring.dip.result import Snapshot, Untrained, fallen_back, kernel_of, result_of
from sciml.deblurring.dip.state import FitState, identity_of
from sciml.deblurring.dip.stopping import IterationState, held_out_pixels
from sciml.deblurring.settings.structures import DipConfig
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.errors import ConfigError, DataError, NumericalError, ShapeError
from sciml.runtime.seeds import Seeds
from sciml.training.checkpoint import only_run_in
from sciml.training.weight_files import tensors_digest

DIVERGED = 1e3
# learning rates: of the fit to the warm start, and of the kernel's correction
START_RATE, KERNEL_RATE = 1e-2, 2e-4


def untrained(
    y: Picture,
    kernel: Kernel,
    sigma: float,
    config: DipConfig,
    start: Canvas | None = None,
    mask: Tensor | None = None,
    *,
    generator: torch.Generator,
    on_iteration: Callable[[Snapshot], bool | None] | None = None,
    folder: Path | None = None,
    held_out: Tensor | None = None,
) -> Untrained:
    """Fit untrained networks to one blurred picture.

    At each step, with M the seen pixels and F of `Objective`,

        x = I(z),  R = sigma Phi(z'),  h <- D^T soft(D(y - A x - R), tau sigma),  (I, Phi, dk) <- Adam on F at this h,
        k_hat + dk <- the nearest kernel on the simplex,    x_mean <- d x_mean + (1 - d) x.

    Args:
        y: (1, channel, height, width), linear light in [0, 1]; the image is kept in [0, 1] by the network.
        kernel: the given kernel, odd and square.
        sigma: standard deviation of the noise, above 0.
        config: settings.
        start: an image on the canvas (height + K - 1, width + K - 1), as from total variation. Either the network is what is
            added to it, or the network is first fitted to it, with low rates that rise slowly afterwards: at a high one it is
            forgotten within 100 steps. At the same weight of the total variation the start is already the minimum of F
            without R; it should have been made at a higher one.
        mask: pixels that may be used, (1, 1 or channel, height, width), nonzero where so; see `unsaturated`.
        generator: one number is drawn from it, the seed of the fit.
        on_iteration: called at every look with copies; returning True ends the fit with the best so far.
        folder: where a checkpoint is kept and looked for; see `sciml.training.partial_folder`. A fit that goes on
            from one ends in the same bytes, on a CPU with the same number of threads.
        held_out: pixels kept out of the fit, shape and meaning as `mask`; drawn from `generator` by default. A warm start that
            was computed from all pixels has seen them, which flatters it by the share of noise that it fits (some 10 %): draw
            them with `held_out_pixels`, mask them there as well, and give them here: see `sciml.deblurring.dip.warm`.

    Returns:
        The estimate: with a warm start, that plus the share of the networks' change that explains the held-out pixels best
        (`sciml.deblurring.dip.blend`). A fit that turns into NaN or diverges, or explains them not better by `least_gain`,
        returns the warm start, marked `fell_back`.

    Raises:
        ConfigError: sigma is not above 0, or the checkpoint belongs to another fit.
        DataError: y or the kernel is not finite, or the mask leaves nothing.
        ShapeError: an array has the wrong shape.
    """
    allowed = _checked(y, sigma, mask)
    seed = int(torch.randint(2**62, (1,), generator=generator))
    size = (int(y.shape[-2]), int(y.shape[-1]))
    if held_out is None:
        drawn = torch.Generator().manual_seed(Seeds(seed)("held-out pixels"))
        apart = held_out_pixels(size, config.stop.held_out, drawn, allowed).to(y.device)
    else:
        apart = _pixels(held_out, y, "set of held-out pixels") & allowed
    objective = Objective(y, kernel, sigma, config, allowed & ~apart)
    if start is not None and tuple(start.shape) != (1, y.shape[1], *objective.blur.canvas):
        raise ShapeError(f"the start is an image on the canvas {objective.blur.canvas}, got shape {tuple(start.shape)}")
    identity = {
        "config": identity_of(config),
        "seed": seed,
        "sigma": sigma,
        "inputs": tensors_digest(_arrays({"y": y, "kernel": objective.kernel, "mask": allowed, "apart": apart, "start": start})),
    }
    state = FitState(objective, config, seed, start)
    with only_run_in(folder) if folder else nullcontext():
        if folder:
            state.restore(folder, identity)
        try:
            reason = _fit(
                state, objective, start, apart, on_iteration, (lambda: state.save(folder, identity)) if folder else None
            )
        except NumericalError as error:
            return fallen_back(state, objective, start, str(error))
    if start is None or config.least_gain is None or not bool(apart.any()):
        return result_of(state, objective, state.best, reason)
    blend = blended(objective, start, state.best, apart)
    # "not enough" in this form also catches a number that is none
    if not (blend.share > 0 and blend.gain >= config.least_gain):
        text = f"the held-out misfit falls from {blend.before:.4g} to {blend.after:.4g} sigma, by {blend.gain:.2%}"
        return fallen_back(state, objective, start, f"{text}, and {config.least_gain:.2%} is asked for")
    return result_of(state, objective, blend.means, reason, blend.share)


def _fit(
    state: FitState,
    objective: Objective,
    start: Canvas | None,
    apart: Tensor,
    on_iteration: Callable[[Snapshot], bool | None] | None,
    save: Callable[[], None] | None,
) -> str:
    """Run to the end and return why it ended.

    Raises:
        NumericalError: a loss is not finite, or a thousand times that of the first step.
    """
    config = state.config
    while (reason := state.rule.reason) is None:
        iteration = state.iterations + 1
        _set_rates(state, iteration, start is not None)
        if iteration == 1:
            # Adam's moments of the fit to the warm start are of another loss: carried over, they make the steps some times
            # too long, or for a thousand steps too short. Fresh ones are learned during the ramp.
            state.optimiser.state.clear()
        x = state.draw_image()
        if iteration <= 0 and start is not None:
            loss, terms, residual = (x - start).square().mean(), None, None
        else:
            residual = state.draw_residual()
            terms = objective(x, residual, state.correction, state.artefact)
            loss = terms.total
        _check(float(loss.detach()), state, iteration)
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        state.optimiser.step()
        if terms is not None:
            state.artefact = terms.artefact
            state.take_in(iteration, {"image": x, "residual": residual, "artefact": terms.artefact})
        if iteration > 0 and state.correction is not None:
            with torch.no_grad():
                state.correction.copy_(simplex_projection(objective.kernel + state.correction) - objective.kernel)
            state.take_in(iteration, {"correction": state.correction})
        state.step += 1
        stopped = False
        if terms is not None and (iteration % config.stop.look_every == 0 or iteration == config.iterations):
            row = {name: float(value.detach()) for name, value in terms.values.items()} | {"loss": float(loss.detach())}
            stopped = _look(state, objective, x, iteration, row, apart, on_iteration)
        if save and (stopped or state.rule.reason or state.step % config.checkpoint_every == 0):
            save()
        if stopped:
            return f"stopped by the caller at {iteration}"
    return reason


def _look(
    state: FitState,
    objective: Objective,
    x: Canvas,
    iteration: int,
    row: dict[str, float],
    apart: Tensor,
    on_iteration: Callable[[Snapshot], bool | None] | None,
) -> bool:
    misfit, held_out = misfits(objective, state.average, apart)
    state.rule.see(IterationState(iteration, x.detach(), misfit, held_out))
    if state.rule.chosen == iteration or not state.best:
        state.keep_best()
    state.losses.append((iteration, row))
    if on_iteration is None:
        return False
    canvas = state.average["image"].clone()
    residual = state.average["residual"].clone() if "residual" in state.average else None
    terms = row | {"misfit": misfit} | ({} if held_out is None else {"held_out": held_out})
    return bool(
        on_iteration(
            Snapshot(iteration, objective.blur.crop(canvas), canvas, residual, kernel_of(objective, state.average), terms)
        )
    )


def _set_rates(state: FitState, iteration: int, warm: bool) -> None:
    config = state.config
    ramp = min(1.0, iteration / config.ramp_iterations) if config.ramp_iterations else 1.0
    after = {"offset": config.offset_rate, "fit": config.warm_rate}[config.warm_start] if warm else config.cold_rate
    rates = {"image": after, "residual": config.residual_rate, "kernel": KERNEL_RATE}
    for group in state.optimiser.param_groups:
        group["lr"] = START_RATE if iteration <= 0 else ramp * rates[group["name"]]


def _check(loss: float, state: FitState, iteration: int) -> None:
    where = f"step {iteration}" if iteration > 0 else f"step {state.step + 1} of the fit to the warm start"
    if not math.isfinite(loss):
        raise NumericalError(f"the loss is {loss} at {where}")
    if iteration <= 0:
        return
    if state.first_loss is None:
        state.first_loss = loss
    if loss > DIVERGED * max(state.first_loss, 1.0):
        raise NumericalError(f"the loss has risen to {loss:.3g} at {where}, from {state.first_loss:.3g}")


def _checked(y: Tensor, sigma: float, mask: Tensor | None) -> Tensor:
    """Return the pixels that may be used, or say what is wrong."""
    if y.ndim != 4 or y.shape[0] != 1:
        raise ShapeError(f"untrained networks take one picture of shape (1, channel, height, width), got {tuple(y.shape)}")
    if not bool(y.isfinite().all()):
        raise DataError("the picture holds NaN or infinite pixels; repair it, or mask them and set them to 0")
    if not 0 < sigma < math.inf:
        raise ConfigError(f"sigma, the standard deviation of the noise, is above 0, got {sigma}; estimate it from the picture")
    allowed = torch.ones_like(y[:, :1], dtype=torch.bool) if mask is None else _pixels(mask, y, "mask")
    if not bool(allowed.any()):
        raise DataError("the mask leaves no pixel to fit; is the whole picture saturated?")
    return allowed


def _pixels(chosen: Tensor, y: Tensor, what: str) -> Tensor:
    if chosen.ndim != 4 or chosen.shape not in (y.shape, y[:, :1].shape):
        raise ShapeError(
            f"a {what} has shape (1, 1 or channel, height, width) of the picture {tuple(y.shape)}, got {tuple(chosen.shape)}"
        )
    return (chosen != 0).to(y.device)


def _arrays(tensors: Mapping[str, Tensor | None]) -> dict[str, np.ndarray]:
    return {name: value.detach().cpu().numpy() for name, value in tensors.items() if value is not None}
