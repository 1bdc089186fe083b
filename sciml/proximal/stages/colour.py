"""Stage `colour`: test photographs denoised in colour by a colour network, a grey one channel by channel, and tuned rivals."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from sciml.datasets import check_weight_inputs
from sciml.imaging.operators.physics import Identity
from sciml.imaging.tasks.records import CurvePoint
from sciml.proximal.config import ColourConfig
from sciml.proximal.networks.forms import LearnedProximalNetwork
from sciml.proximal.networks.guided import GuidedNetwork
from sciml.proximal.networks.loading import load_model
from sciml.proximal.networks.network import Images
from sciml.proximal.reconstruction.reconstruct import reconstruct
from sciml.proximal.study.colour import EXPERIMENT, RIVALS, colour_photographs, reading, scores, strongest_colours, tuned
from sciml.proximal.study.results import ColourLevel, ColourNumbers, ColourRuns, ColourScores, PictureQuality, TunedParameter
from sciml.runtime.errors import ConfigError, DataError
from sciml.runtime.files import save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds

log = logging.getLogger(__name__)
Network = LearnedProximalNetwork | GuidedNetwork
# of the noise
SEED = 0


def run(config: ColourConfig, colour: Path, grey: Path, output: Path, device: str = "cpu") -> list[Path]:
    """Write `colour.json` and `pictures.safetensors`.

    `colour.json` is a `sciml.proximal.study.results.ColourNumbers`; its methods are `noisy`, `tv-channels`, `tv`, `nlm`, `grey`
    and `colour`.

    `pictures.safetensors`: the shown picture, shape (rows, columns, 3): `truth` and `<level>.<method>`, not clipped.

    Args:
        config: pictures and noise levels.
        colour: weights of a network of colour photographs.
        grey: weights of a network of grey photographs.
        output: output folder.
        device: `cpu` or `cuda`.

    Raises:
        DataError: a network was trained on test data, or there is no colour photograph to test.
        ConfigError: a network has another number of channels.
    """
    recorder = Recorder("proximal.colour", config.model_dump(mode="json"), inputs=[colour, grey])
    networks = {"colour": _load(colour, 3, device), "grey": _load(grey, 1, device)}
    (x, names), (known, known_names) = (
        colour_photographs(role, count, config.size, config.data_tier)
        for role, count in (("test", config.photographs), ("validation", config.validation_photographs))
    )
    if not names:
        raise DataError(f"no test photograph of {EXPERIMENT} is colour at the data tier {config.data_tier}; fetch another tier")
    truth, reference = torch.from_numpy(x).to(device), torch.from_numpy(known).to(device)
    shown, seeds, seconds = strongest_colours(truth), Seeds(SEED), {}
    arrays: dict[str, np.ndarray] = {"truth": _shown(truth, shown)}
    levels: list[ColourLevel] = []
    for index, sigma in enumerate(config.sigmas):
        y = truth + sigma * _noise(truth, seeds("noise", "test", f"{sigma:g}"))
        found: dict[str, dict[str, PictureQuality]] = {}
        chosen: dict[str, TunedParameter] = {}
        runs: dict[str, ColourRuns] = {}
        guide = reference + sigma * _noise(reference, seeds("noise", "validation", f"{sigma:g}"))
        begin = time.perf_counter()
        for method, estimate in _estimates(networks, y, guide, reference, sigma, config.tolerance, chosen, runs):
            seconds[f"sigma {sigma:g}, {method}"] = round((time.perf_counter() - begin) / len(names), 3)
            found[method] = scores(estimate, truth)
            arrays[f"{index}.{method}"] = _shown(estimate, shown)
            log.info("sigma %g, %s: %.2f dB", sigma, method, found[method]["psnr"].mean)
            begin = time.perf_counter()
        rival = np.array(found["tv"]["psnr"].values, dtype=float)
        methods = {
            name: ColourScores(**row, above_tv=int((np.array(row["psnr"].values, dtype=float) > rival).sum()))
            for name, row in found.items()
        }
        levels.append(ColourLevel(sigma=sigma, methods=methods, tuned=chosen, runs=runs))
    numbers = ColourNumbers(
        networks={"colour": colour.stem, "grey": grey.stem},
        titles=[
            ("noisy", "noisy"),
            *((name, rival.title) for name, rival in RIVALS.items()),
            ("grey", f"{grey.stem} on each channel alone"),
            ("colour", colour.stem),
        ],
        pictures=names,
        validation=known_names,
        size=config.size,
        shown=names[shown],
        levels=levels,
        reading=reading(levels, colour.stem, grey.stem),
    )
    outputs = [output / "colour.json", output / "pictures.safetensors"]
    write_result(outputs[0], numbers)
    save_tensors(outputs[1], {name: array.astype(np.float32) for name, array in arrays.items()}, {"sigmas": list(config.sigmas)})
    recorder.seeds, recorder.notes = seeds.used, {"seconds_per_image": seconds}
    recorder.write(output / "provenance.json", outputs)
    return outputs


def _load(path: Path, channels: int, device: str) -> Network:
    network = load_model(str(path), device)
    if network.channels != channels:
        raise ConfigError(f"{path} has {network.channels} channels; the study of colour expects {channels} here")
    check_weight_inputs(path, EXPERIMENT)
    return network


def _noise(like: Images, seed: int) -> Images:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed)).to(like)


def _estimates(
    networks: dict[str, Network],
    y: Images,
    guide: Images,
    reference: Images,
    sigma: float,
    tolerance: float,
    chosen: dict[str, TunedParameter],
    runs: dict[str, ColourRuns],
) -> Iterator[tuple[str, Images]]:
    """Yield every method with its pictures; what was tuned goes into `chosen`, how the networks ran into `runs`.

    Args:
        networks: `colour` and `grey`.
        y: noisy test photographs.
        guide: noisy validation photographs, that parameters are chosen on.
        reference: validation photographs without noise.
        sigma: standard deviation of the noise.
        tolerance: relative residual of the networks.
        chosen: tuned parameter by rival, filled here.
        runs: how each network ran, filled here.
    """
    yield "noisy", y
    for name, rival in RIVALS.items():
        found = tuned(rival, guide, reference, sigma)
        curve = [CurvePoint(value=value, psnr_db=quality) for value, quality in found.curve.items()]
        chosen[name] = TunedParameter(parameter=rival.parameter, value=found.value, bracketed=found.bracketed, curve=curve)
        yield name, rival.clean(y, sigma, found.value)
    for name in ("grey", "colour"):
        estimate, runs[name] = denoised(networks[name], y, sigma, tolerance)
        yield name, estimate


def denoised(network: Network, y: Images, sigma: float, tolerance: float = 3e-4) -> tuple[Images, ColourRuns]:
    """Return colour pictures as a network denoises them, and what is certain of it.

    A network of one channel takes the three channels as three pictures. Each picture is solved alone: none waits for another.

    Args:
        network: learned proximal network of three channels or of one, with a guide or without.
        y: noisy pictures, shape (batch, 3, rows, columns).
        sigma: standard deviation of the noise.
        tolerance: relative residual at which a picture is finished.

    Returns:
        The pictures and their runs; the reason is that of the first that is not certified, else of the first.
    """
    physics = Identity()
    runs = [
        reconstruct(one if network.channels == 3 else one.transpose(0, 1), physics, network, sigma, tolerance=tolerance)
        for one in y.split(1)
    ]
    images = torch.cat([run.image if network.channels == 3 else run.image.transpose(0, 1) for run in runs])
    certificates = [run.certificate for run in runs]
    told = next((one for one in certificates if not one.certified), certificates[0])
    gradients = [run.gradients for run in runs]
    return images, ColourRuns(certified=[one.certified for one in certificates], reason=told.reason, gradients=gradients)


def _shown(images: Images, index: int) -> np.ndarray:
    return images[index].permute(1, 2, 0).cpu().numpy()
