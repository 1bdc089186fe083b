"""Stage `ablate`: what design choices are worth, on crops of validation pictures that are the same for every network."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from sciml.proximal.config import AblateConfig
from sciml.proximal.learning.objectives import validate_denoising
from sciml.proximal.learning.pools import validation_crops
from sciml.proximal.networks.forms import load_denoiser
from sciml.proximal.networks.weight_files import weight_file
from sciml.proximal.study.results import WITHIN_DB, AblationRow
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import write_text
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds
from sciml.training import read_weights_metadata

log = logging.getLogger(__name__)

# ablation that the others from scratch are compared with
REFERENCE = "reference"
# of the crops and their noise
SEED = 0


def run(config: AblateConfig, weights: Sequence[Path | str], output: Path, device: str = "cpu") -> list[Path]:
    """Write `ablations.json` and `ablations.csv`: one row for each network and noise level of its training.

    A network that went on from another is compared with that one, all others with the one called `REFERENCE`.

    Args:
        config: crops and noise levels.
        weights: weight files or shipped names of denoisers of one domain; every reference is among them.
        output: output folder.
        device: `cpu` or `cuda`.

    Raises:
        ConfigError: names appear twice, a reference is missing, domains differ, or a network was trained for another task or
            for none of the noise levels.
        DataError, FormatError, ShapeError: a file is missing, damaged or no denoiser.
    """
    paths = {path.stem: path for path in map(weight_file, weights)}
    if len(paths) < len(weights):
        raise ConfigError(f"two weight files have one name among {', '.join(map(str, weights))}; give each network once")
    recorder = Recorder("proximal.ablate", config.model_dump(mode="json"), paths.values())
    metadata = {name: read_weights_metadata(path) for name, path in paths.items()}
    trainings = {name: found["config"] for name, found in metadata.items()}
    references = _references(trainings, REFERENCE)
    levels = {name: _levels(name, training, config.sigmas) for name, training in trainings.items()}
    seeds = Seeds(SEED)
    noise = seeds("ablate", "noise") % 2**31
    found = validation_crops(_domain(trainings), config.data_tier, config.crop_size, config.crops, SEED)
    crops = torch.from_numpy(found).to(device)
    psnr: dict[str, dict[str, float]] = {}
    parameters: dict[str, int] = {}
    for name, path in paths.items():
        network = load_denoiser(path).to(device)
        parameters[name] = sum(parameter.numel() for parameter in network.parameters())
        with torch.no_grad():
            # the same noise for every network: the draw does not depend on the levels asked for
            generator = torch.Generator(device).manual_seed(noise)
            psnr[name] = validate_denoising(crops, levels[name], config.gradients)(network, generator)
        log.info("%s: %s", name, psnr[name])
    rows = []
    for name in paths:
        for sigma in levels[name]:
            near, far = _psnr(psnr[name], sigma, config.gradients)
            difference = far - _psnr(psnr[references[name]], sigma, config.gradients)[1]
            low, high = trainings[name]["sigma_range"]
            rows.append(
                AblationRow(
                    network=name,
                    reference=references[name],
                    sigma=sigma,
                    psnr_n=round(near, 4),
                    psnr_3n=round(far, 4),
                    difference_db=round(difference, 4),
                    within=difference <= WITHIN_DB if low == high else None,
                    parameters=parameters[name],
                    cpu_minutes=float(metadata[name]["cpu_minutes"]),
                )
            )
    numbers, table = output / "ablations.json", output / "ablations.csv"
    write_result(numbers, rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(AblationRow.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(dict, rows))
    write_text(table, text.getvalue())
    log.info("%s:\n%s", table, text.getvalue())
    recorder.seeds = seeds.used
    recorder.notes = {"trainings": trainings}
    recorder.write(output / "provenance.json", [numbers, table])
    return [numbers, table]


def _references(trainings: Mapping[str, Mapping[str, Any]], reference: str) -> dict[str, str]:
    """Return what each network is compared with; one that others went on from is compared with itself."""
    starts = {training["start_from"] for training in trainings.values()}
    found = {}
    for name, training in trainings.items():
        found[name] = training["start_from"] or (name if name in starts else reference)
        if found[name] not in trainings:
            raise ConfigError(f"{name} is compared with {found[name]}, whose weights were not given; add them")
    return found


def _levels(name: str, training: Mapping[str, Any], sigmas: Sequence[float]) -> tuple[float, ...]:
    """Return the noise levels that a denoiser was trained for."""
    low, high = training["sigma_range"]
    levels = tuple(sigma for sigma in sigmas if low <= sigma <= high)
    if training["task"] != "denoise" or not levels:
        raise ConfigError(
            f"{name} was trained to {training['task']} at noise levels {low:g} to {high:g}; expected a denoiser for one of "
            f"{', '.join(f'{sigma:g}' for sigma in sigmas)}"
        )
    return levels


def _domain(trainings: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the pictures that all networks learned from."""
    domains = sorted({training["domain"] for training in trainings.values()})
    if len(domains) != 1:
        raise ConfigError(
            f"networks of {' and '.join(domains) or 'nothing'} cannot be compared on the same crops; give those of one domain"
        )
    return domains[0]


def _psnr(found: Mapping[str, float], sigma: float, gradients: int) -> tuple[float, float]:
    """Return PSNR at N and at 3 N gradients, twice the same for a network without solver."""
    one, three = (found.get(f"psnr_{sigma:g}_{count}", found.get(f"psnr_{sigma:g}")) for count in (gradients, 3 * gradients))
    assert one is not None and three is not None, "the validation measures every level"
    return one, three
