"""What weights there are, as rows of a table, read from the files alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sciml.proximal.networks.weight_files import shipped, weight_file
from sciml.runtime.errors import ConfigError
from sciml.training.weight_files import read_weight_file

DOMAINS = {"photo-grey": "grey photographs", "photo-colour": "colour photographs", "ct": "CT slices", "mri": "MR slices"}
TASKS = {"denoise": "denoising", "deblur": "deblurring", "ct": "tomography", "mri": "compressed sensing"}


@dataclass(frozen=True)
class NetworkRow:
    """One weight file.

    Attributes:
        name: how it is called.
        form: implicit, guided or explicit; `peer` for a denoiser that has no prior and is no proximal operator.
        channels: channels of an image.
        sigma_range: noise levels of its training, standard deviations on the scale from 0 to 1.
        parameters: number of weights.
        purpose: what it was trained on and for.
    """

    name: str
    form: str
    channels: int
    sigma_range: tuple[float, float]
    parameters: int
    purpose: str


def shipped_models() -> list[NetworkRow]:
    """Return the rows of all learned proximal networks that come with the package, without the denoisers that have no prior."""
    return [row for row in map(network_row, shipped()) if row.form != "peer"]


def network_row(name: str | Path) -> NetworkRow:
    """Return the row of a shipped name or weight file.

    Raises:
        DataError, FormatError: there is no such file, or it is damaged.
        ConfigError: it holds no network.
    """
    path = weight_file(name)
    arrays, metadata = read_weight_file(path)
    network, config = metadata["extra"].get("network"), metadata["config"]
    if not isinstance(network, dict):
        raise ConfigError(f"{path} holds no denoiser: its metadata lacks extra.network")
    base = network["base"] if network["form"] == "guided" else network
    structure = base[{"implicit": "regularizer", "explicit": "potential"}.get(base["form"], base["form"])]
    low, high = base.get("sigma_range") or config["sigma_range"]
    count = sum(values.size for values in arrays.values())
    return NetworkRow(str(name), network["form"], structure["channels"], (low, high), count, _purpose(config))


def _purpose(config: dict[str, Any]) -> str:
    domain, task = str(config.get("domain", "")), str(config.get("task", ""))
    if "digits" in config:
        return "denoising of handwritten digits"
    if task not in TASKS:
        return "unknown: not trained by `sciml proximal train`"
    return f"{TASKS[task]} of {DOMAINS.get(domain, domain)}" if task != "ct" else f"{TASKS[task]}, {DOMAINS.get(domain, domain)}"
