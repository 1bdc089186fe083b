"""What weights there are, as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sciml.proximal.networks.forms import LearnedProximalNetwork
from sciml.proximal.networks.network import shipped, weight_file

DOMAINS = {"photo-grey": "grey photographs", "photo-colour": "colour photographs", "ct": "CT slices", "mri": "MR slices"}
TASKS = {"denoise": "denoising", "deblur": "deblurring", "ct": "tomography", "mri": "compressed sensing"}


@dataclass(frozen=True)
class ModelRow:
    """One weight file.

    Attributes:
        name: how it is called.
        form: implicit or explicit.
        channels: channels of an image.
        sigma_range: noise levels of its training.
        parameters: number of weights.
        purpose: what it was trained on and for.
    """

    name: str
    form: str
    channels: int
    sigma_range: tuple[float, float]
    parameters: int
    purpose: str


def shipped_models() -> list[ModelRow]:
    """Return the rows of all learned proximal networks that come with the package.

    The denoisers beside them that the study compares with have no prior and are no proximal operators, so they are left out.
    """
    return [model_row(name) for name in shipped() if _form(name) in ("implicit", "explicit")]


def model_row(name: str | Path) -> ModelRow:
    """Return the row of a shipped name or weight file; raises as `LearnedProximalNetwork.load`."""
    from sciml.training import read_weights_metadata

    network = LearnedProximalNetwork.load(name)
    return ModelRow(
        name=str(name),
        form=network.form,
        channels=network.channels,
        sigma_range=network.sigma_range,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        purpose=_purpose(read_weights_metadata(weight_file(name))["config"]),
    )


def _form(name: str) -> object:
    from sciml.training import read_weights_metadata

    network = read_weights_metadata(weight_file(name))["extra"].get("network")
    return network.get("form") if isinstance(network, Mapping) else None


def _purpose(config: Mapping[str, Any]) -> str:
    domain, task = str(config.get("domain", "")), str(config.get("task", ""))
    if "digits" in config:
        return "denoising of handwritten digits"
    if task not in TASKS:
        return "unknown: not trained by `sciml proximal train`"
    return f"{TASKS[task]} of {DOMAINS.get(domain, domain)}" if task != "ct" else f"{TASKS[task]}, {DOMAINS.get(domain, domain)}"
