"""Where to stop the fit of an untrained network, without the truth: held-out pixels, discrepancy, windowed variance.

An untrained network fits the picture first and its noise later, so the best output lies somewhere on the way. Every rule here
sees the output every few iterations and says where it would stop. Stein-type estimates of the error are left out: they
need the noise to be the only thing wrong with y = k * x + n, and here the kernel is wrong too.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sciml.deblurring.settings.structures import StopConfig
from sciml.runtime.errors import ConfigError

# iterations without a lower variance before that rule would stop
VARIANCE_PATIENCE = 150


@dataclass(frozen=True)
class IterationState:
    """What a rule sees of one iteration.

    Attributes:
        iteration: steps done.
        output: the network's output, detached.
        misfit: root mean square of y - A x - R over the fitted pixels, in sigma, of the running mean that would be returned.
        held_out: the same over the pixels kept out of the fit; None where there are none.
    """

    iteration: int
    output: Float[Tensor, "batch channel height width"]
    misfit: float
    held_out: float | None = None


class StopRule(Protocol):
    """What every rule offers.

    Attributes:
        curve: iterations and values of what it watches.
        stopped_at: the iteration at which it would have stopped; None: not yet.
        chosen: the iteration whose output it would return; None: not known yet.
    """

    curve: list[tuple[int, float]]
    stopped_at: int | None
    chosen: int | None

    def see(self, look: IterationState) -> None:
        """Take in one look; looks come in the order of their iterations."""
        ...


class _Lowest:
    """A curve whose minimum is chosen once it has not been undercut for `patience` iterations."""

    def __init__(self, patience: int) -> None:
        if patience < 1:
            raise ConfigError(f"a patience is at least 1 iteration, got {patience}")
        self.patience = patience
        self.curve: list[tuple[int, float]] = []
        self.stopped_at: int | None = None
        self.chosen: int | None = None
        self._least = math.inf

    def note(self, iteration: int, value: float) -> None:
        """Take in one value of the curve; after the stop the choice is final."""
        self.curve.append((iteration, value))
        if self.stopped_at is not None:
            return
        if value < self._least:
            self._least, self.chosen = value, iteration
        elif self.chosen is not None and iteration - self.chosen >= self.patience:
            self.stopped_at = iteration

    def replay(self, curve: list[tuple[int, float]]) -> None:
        """Come to the state that this curve leads to."""
        for iteration, value in curve:
            self.note(iteration, value)


class WindowedVariance(_Lowest):
    """Minimum of the variance of successive outputs (Wang et al., "Early stopping for deep image prior", TMLR 2023).

    Over the last W outputs, with m their mean and d the number of pixels,

        V(t) = 1 / (W d) sum_{i=0}^{W-1} | x(t-i) - m |^2;

    it falls while the outputs settle on the picture and rises when they begin to follow the noise.

    Args:
        window: W, in looks.
        patience: iterations without a lower variance before it would stop.
    """

    def __init__(self, window: int, patience: int) -> None:
        super().__init__(patience)
        if window < 2:
            raise ConfigError(f"a variance needs a window of at least 2 outputs, got {window}")
        self.outputs: deque[Tensor] = deque(maxlen=window)

    def see(self, look: IterationState) -> None:
        """Take in one output; the curve begins when the window is full."""
        self.outputs.append(look.output.detach().clone())
        if len(self.outputs) == self.outputs.maxlen:
            stack = torch.stack(tuple(self.outputs))
            self.note(look.iteration, float((stack - stack.mean(0)).square().mean()))


class Discrepancy:
    """Morozov's principle: stop where the misfit has fallen to `bound` times the noise.

    With a wrong kernel and no residual it is never reached, and with a residual it can be reached by letting that grow: a
    latest bound, not a rule of its own. Its default lies below 1, since even the best estimate fits a part of the noise.
    """

    def __init__(self, bound: float) -> None:
        if not bound > 0:
            raise ConfigError(f"a discrepancy bound is above 0 sigma, got {bound}")
        self.bound = bound
        self.curve: list[tuple[int, float]] = []
        self.stopped_at: int | None = None

    @property
    def chosen(self) -> int | None:
        """The iteration at which the bound was reached."""
        return self.stopped_at

    def see(self, look: IterationState) -> None:
        """Take in the misfit."""
        self.note(look.iteration, look.misfit)

    def note(self, iteration: int, value: float) -> None:
        """Take in one value of the curve."""
        self.curve.append((iteration, value))
        if self.stopped_at is None and value <= self.bound:
            self.stopped_at = iteration

    def replay(self, curve: list[tuple[int, float]]) -> None:
        """Come to the state that this curve leads to."""
        for iteration, value in curve:
            self.note(iteration, value)


class HeldOut(_Lowest):
    """Minimum of the misfit on pixels that the fit has never seen (self-validation); valid for white noise.

    The smoothed misfit is s(t) = a s(t-1) + (1 - a) v(t), divided by 1 - a^t so that it does not start at zero.

    Args:
        patience: iterations without a lower smoothed misfit before it stops.
        smoothing: a, a look.
    """

    def __init__(self, patience: int, smoothing: float = 0.8) -> None:
        super().__init__(patience)
        if not 0 <= smoothing < 1:
            raise ConfigError(f"a smoothing lies in [0, 1), got {smoothing}")
        self.smoothing = smoothing
        self._sum, self._weight = 0.0, 0.0

    def see(self, look: IterationState) -> None:
        """Take in the misfit of the held-out pixels, where there are any."""
        if look.held_out is None:
            return
        self._sum = self.smoothing * self._sum + (1 - self.smoothing) * look.held_out
        self._weight = self.smoothing * self._weight + 1 - self.smoothing
        self.note(look.iteration, self._sum / self._weight)


def held_out_pixels(
    size: tuple[int, int], fraction: float, generator: torch.Generator, allowed: Tensor | None = None, block: int = 1
) -> Bool[Tensor, "1 1 height width"]:
    """Return a random set of pixels, single ones or squares: each is held out in all channels with probability `fraction`.

    Args:
        size: height and width of y.
        fraction: of the pixels, in [0, 1).
        generator: source of randomness; the draw does not depend on `allowed`.
        allowed: pixels that may be held out, nonzero where so; the others carry no information (saturated ones).
        block: side of the squares; what is wrong in one pixel of a blurred picture can be guessed from its neighbours.

    Raises:
        ConfigError: the fraction is out of range.
    """
    if not 0 <= fraction < 1:
        raise ConfigError(f"the fraction of held-out pixels lies in [0, 1), got {fraction}")
    coarse = [-(-length // block) for length in size]
    drawn = torch.rand(1, 1, *coarse, generator=generator) < fraction
    drawn = drawn.repeat_interleave(block, -2).repeat_interleave(block, -1)[..., : size[0], : size[1]]
    return drawn if allowed is None else drawn & (allowed != 0).all(1, keepdim=True).to(drawn.device)


class CombinedRule:
    """The rule that decides: a fixed budget, held-out pixels with patience, and the discrepancy as a latest bound.

    The first of the three decides. The output is that of the least held-out misfit up to then; without held-out pixels, the
    last one. The windowed variance is followed as a curve and decides nothing. Where the settings say that no rule ends the
    fit, the decision is the same, and the budget is spent for the curves.

    Args:
        config: the rules' settings.
        iterations: the budget.

    Attributes:
        rules: by name; what each would have done alone.
    """

    def __init__(self, config: StopConfig, iterations: int) -> None:
        self.iterations, self.ends = iterations, config.ends
        self.held_out = HeldOut(config.patience, config.smoothing) if config.held_out else None
        self.discrepancy = Discrepancy(config.discrepancy) if config.discrepancy is not None else None
        self.variance = WindowedVariance(max(2, config.window // config.look_every), VARIANCE_PATIENCE)
        present = {"held-out": self.held_out, "discrepancy": self.discrepancy, "variance": self.variance}
        self.rules: dict[str, HeldOut | Discrepancy | WindowedVariance] = {
            name: rule for name, rule in present.items() if rule is not None
        }
        self.seen = 0
        self.decided: tuple[int, str] | None = None

    def see(self, look: IterationState) -> None:
        """Take in one look."""
        for rule in self.rules.values():
            rule.see(look)
        self.seen = look.iteration
        why = self._why()
        if self.decided is None and why is not None:
            self.decided = self.chosen, why

    @property
    def chosen(self) -> int:
        """The iteration whose output is to be returned, as far as was seen."""
        if self.decided is not None:
            return self.decided[0]
        best = self.held_out.chosen if self.held_out else None
        return self.seen if best is None else best

    @property
    def reason(self) -> str | None:
        """Why it ends, in words; None: it goes on."""
        return self.decided[1] if self.decided and (self.ends or self.seen >= self.iterations) else None

    def _why(self) -> str | None:
        if self.held_out and self.held_out.stopped_at is not None:
            return f"held-out pixels: no lower misfit for {self.held_out.patience} iterations after {self.held_out.chosen}"
        if self.discrepancy and self.discrepancy.stopped_at is not None:
            return f"discrepancy: the misfit fell to {self.discrepancy.bound:g} sigma at {self.discrepancy.stopped_at}"
        if self.seen >= self.iterations:
            return f"budget: all {self.iterations} iterations done"
        return None

    def would_stop(self) -> dict[str, int | None]:
        """Return, by rule, the iteration that it alone would have returned; None: it would not have stopped."""
        return {name: rule.chosen if rule.stopped_at is not None else None for name, rule in self.rules.items()}

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Return what each rule watched."""
        return {name: list(rule.curve) for name, rule in self.rules.items()}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return tensors and JSON values from which `restore` goes on."""
        outputs = self.variance.outputs
        sums = [self.held_out._sum, self.held_out._weight] if self.held_out else []
        return {"outputs": torch.stack(tuple(outputs))} if outputs else {}, {
            "seen": self.seen,
            "curves": self.curves(),
            "sums": sums,
            "decided": None if self.decided is None else list(self.decided),
        }

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Take back what `state` returned; the rule must be a fresh one."""
        for name, rule in self.rules.items():
            rule.replay([(int(iteration), float(value)) for iteration, value in values["curves"][name]])
        if self.held_out:
            self.held_out._sum, self.held_out._weight = values["sums"]
        self.variance.outputs.extend(tensors.get("outputs", ()))
        self.seen = int(values["seen"])
        if values["decided"] is not None and (not values["decided"][1].startswith("budget") or self.seen >= self.iterations):
            self.decided = int(values["decided"][0]), str(values["decided"][1])
