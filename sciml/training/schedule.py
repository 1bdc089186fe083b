"""Learning rate as a pure function of the step, so that a resumed run needs no state for it."""

from __future__ import annotations

import math

from sciml.training.config import TrainingConfig


def learning_rate_at(config: TrainingConfig, step: int) -> float:
    """Return the learning rate of one step.

    Args:
        config: gives `learning_rate` (a), `final_learning_rate` (b), `warmup_steps` (w), `steps` (n).
        step: number of the step (k), counted from 0.

    Example:
        >>> [learning_rate_at(TrainingConfig(steps=6, warmup_steps=2, learning_rate=1.0), k) for k in (0, 1, 2, 4)]
        [0.5, 1.0, 1.0, 0.5]
    """
    top, bottom, warmup = config.learning_rate, config.final_learning_rate, config.warmup_steps
    # k < w:    a (k + 1) / w
    if step < warmup:
        return top * (step + 1) / warmup
    if config.schedule == "constant":
        return top
    # cosine:   b + (a - b) (1 + cos(π (k - w) / (n - w))) / 2
    progress = min(1.0, (step - warmup) / (config.steps - warmup))
    return bottom + (top - bottom) * (1 + math.cos(math.pi * progress)) / 2
