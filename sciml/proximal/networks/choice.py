"""Which shipped network suits a picture and a task, and why; nothing here loads torch."""

from __future__ import annotations

from dataclasses import dataclass

AUTO = "auto"
GREY, COLOUR, FAST = "photo-grey-guided", "photo-colour-guided", "photo-grey-explicit"
# networks that were tuned through the solver of a task, and their explicit counterparts
TUNED = {"deblur": "photo-deblur-guided", "ct-sparse": "ct-guided", "ct-limited": "ct-guided", "mri-cs": "mr-t1"}
TUNED_FAST = {"ct-sparse": "ct-explicit", "ct-limited": "ct-explicit", "mri-cs": "mr-t1-explicit"}


@dataclass(frozen=True)
class Choice:
    """A network by name.

    Attributes:
        name: shipped name, or what the user gave.
        reason: why; empty where the user chose.
    """

    name: str
    reason: str = ""


def denoiser_for(axes: str, model: str = AUTO, fast: bool = False) -> Choice:
    """Return the network that removes noise from a picture.

    Args:
        axes: of the picture, `HW`, `HWC` or `DHW`.
        model: `auto`, or a shipped name or path, which is kept.
        fast: the explicit form: one gradient of a potential, where the implicit form solves a problem.
    """
    if model != AUTO:
        return Choice(model)
    if fast:
        return Choice(FAST, "the explicit form, fast" + (", colour by colour" if axes == "HWC" else ""))
    if axes == "HWC":
        return Choice(COLOUR, "3 colours, denoised together")
    return Choice(GREY, "1 channel" if axes == "HW" else "a volume, slice by slice")


def network_for(task: str, model: str | None = None, fast: bool = False) -> Choice:
    """Return the network that reconstructs for a task.

    Args:
        task: name of a task of `sciml imaging`.
        model: shipped name or path, which is kept; None or `auto` chooses.
        fast: the explicit form.
    """
    if model is not None and model != AUTO:
        return Choice(model)
    if fast:
        return Choice(TUNED_FAST.get(task, FAST), "the explicit form, fast")
    if task in TUNED:
        return Choice(TUNED[task], f"tuned through the solver of {task}")
    return Choice(GREY, f"no network was tuned for {task}")
