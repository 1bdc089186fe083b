"""Stage `prior`: what trained networks know: R on test pictures, detection, posterior covariance, a wrong noise level."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sciml.datasets import check_weight_inputs, split
from sciml.imaging.operators.tomography import ParallelBeam
from sciml.imaging.tasks.cases import cases
from sciml.proximal.config import PriorConfig
from sciml.proximal.learning.pools import validation_crops
from sciml.proximal.networks.forms import LearnedProximalNetwork
from sciml.proximal.networks.network import Images
from sciml.proximal.settings.models import EXPERIMENTS
from sciml.proximal.study import prior_results as results
from sciml.proximal.study.landscape import Path as Corruption
from sciml.proximal.study.landscape import along, auroc, blurred, humps, mixed, noisy, quartiles
from sciml.proximal.study.uncertainty import calibrate, leading_directions, linearise, pixel_variance
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds

log = logging.getLogger(__name__)

STRIPS = 3
SEED = 0
# noise level of R and of the noisy photographs
SIGMA = 0.1
# noise of noisy slices, where the window of 2000 HU is 1
CT_NOISE = 0.02
# noise level that is given, over the true one
SIGMA_FACTORS = (0.7, 1.0, 1.3)
# closer than this to the AUROC of total variation, R is said to measure texture
SAME = 0.05


def run(config: PriorConfig, photo: Path, ct: Path, output: Path, device: str = "cpu") -> list[Path]:
    """Write `prior.json` and `pictures.safetensors`.

    `prior.json` is a `sciml.proximal.study.prior_results.PriorNumbers`.

    `pictures.safetensors`: `strip.<path>` (picture, level, rows, columns), `<path>.R` (level, picture),
    `detection.<group>.R` and `.image` (middle slice), `covariance.truth`, `.noisy`, `.denoised`, `.deviation` (predicted standard
    deviation), `.error` (picture, rows, columns), `covariance.directions` (direction, rows, columns).

    Args:
        config: sizes and levels.
        photo: weights of a network of grey photographs, trained on the squared error.
        ct: weights of a network of CT slices.
        output: output folder.
        device: `cpu` or `cuda`.

    Raises:
        DataError: a network was trained on test data.
        ConfigError: a network is not for grey pictures.
    """
    recorder = Recorder("proximal.prior", {**config.model_dump(mode="json"), "sigma": SIGMA}, inputs=[photo, ct])
    seeds, arrays = Seeds(SEED), {}
    network = _load(photo, EXPERIMENTS["photo-grey"], device)
    slices = _load(ct, EXPERIMENTS["ct"], device)
    pictures, names = _photographs(config, device)
    photographs = results.PhotographLandscapes(names=names, **landscape(network, pictures, config, seeds, arrays))
    detected = detection(slices, config, seeds, arrays, device)
    posterior = covariance(network, config, seeds, arrays, device)
    numbers = results.PriorNumbers(
        sigma=SIGMA,
        photo_network=photo.stem,
        ct_network=ct.stem,
        photographs=photographs,
        detection=detected,
        covariance=posterior,
        wrong_sigma=wrong_sigma(network, pictures, config, seeds),
        readings=readings(photographs, posterior.calibration),
    )
    outputs = [output / "prior.json", output / "pictures.safetensors"]
    write_result(outputs[0], numbers)
    save_tensors(outputs[1], {name: array.astype(np.float32) for name, array in arrays.items()}, {"sigma": SIGMA})
    recorder.seeds = seeds.used
    recorder.write(output / "provenance.json", outputs)
    return outputs


def _load(path: Path, experiment: str, device: str) -> LearnedProximalNetwork:
    network = LearnedProximalNetwork.load(path).to(device)
    if network.channels != 1:
        raise ConfigError(f"{path} has {network.channels} channels; the study of the prior takes networks of grey pictures")
    check_weight_inputs(path, experiment)
    return network


def _photographs(config: PriorConfig, device: str) -> tuple[Images, list[str]]:
    own = tuple(split("proximal-photos", "test", config.data_tier))
    size = (config.photo_size, config.photo_size)
    found = cases("imaging-photos", "test", config.photographs, size, config.data_tier, own)
    return _batch([case.array for case in found], device), [case.name for case in found]


def _slices(role: str, config: PriorConfig, device: str) -> Images | None:
    """Return slices of the subjects of a role in the window of the networks; None where the tier has none."""
    own = tuple(split("proximal-ct", role, config.data_tier))
    if not own:
        return None
    size = (config.ct_size, config.ct_size)
    return _batch([case.array for case in cases("imaging-ct", role, config.slices, size, config.data_tier, own)], device)


def _batch(arrays: list[np.ndarray], device: str) -> Images:
    return torch.from_numpy(np.stack(arrays))[:, None].to(device)


def _normal(like: Tensor, seed: int) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed % 2**63)).to(like)


def landscape(
    network: LearnedProximalNetwork, x: Images, config: PriorConfig, seeds: Seeds, arrays: dict[str, np.ndarray]
) -> dict[str, results.Landscape]:
    """Return R a pixel along noise, blur and mixing with the next picture."""
    field, partner = _normal(x, seeds("prior", "field")), x.roll(-1, 0)
    corruptions = {
        "noise": (config.noise_levels, lambda level: noisy(x, field, level)),
        "blur": (config.blur_widths, lambda width: blurred(x, width)),
        "mixing": (config.mixing_shares, lambda share: mixed(x, partner, share)),
    }
    tables: dict[str, results.Landscape] = {}
    for name, (levels, corrupt) in corruptions.items():
        path: Corruption = along(network, levels, corrupt, SIGMA, per_pixel=True)
        tables[name] = path.table()
        arrays[f"{name}.R"] = path.values.cpu().numpy()
        arrays[f"strip.{name}"] = torch.stack([corrupt(level)[:STRIPS, 0] for level in levels], 1).cpu().numpy()
        if name == "mixing":
            tables[name] = tables[name].model_copy(update={"humps": humps(path)})
    return tables


def detection(
    network: LearnedProximalNetwork, config: PriorConfig, seeds: Seeds, arrays: dict[str, np.ndarray], device: str
) -> results.SliceDetection:
    """Return how well R a pixel tells other slices from those of a head, and whether total variation does as well."""
    heads = _slices("test", config, device)
    reference = _slices("validation", config, device)
    assert heads is not None and reference is not None, "every tier above pip has both"
    groups: dict[str, Images | None] = {"head": heads, "abdomen": _slices("test-other", config, device)}
    groups["noisy"] = heads + CT_NOISE * _normal(heads, seeds("prior", "slices"))
    for views in config.fbp_views:
        physics = ParallelBeam((heads.shape[-2], heads.shape[-1]), np.linspace(0, 180, views, endpoint=False).tolist())
        groups[f"fbp_{views}"] = physics.fbp(physics.A(heads.cpu())).to(device).clamp(0, 1)

    def scores(x: Images) -> tuple[Tensor, Tensor]:
        pixels = x[0].numel()
        values = torch.cat([network.prior_values(part, SIGMA).value for part in x.split(4)])
        variation = sum(x.diff(dim=axis).abs().sum((1, 2, 3)) for axis in (-2, -1))
        return values.double().cpu() / pixels, torch.as_tensor(variation).double().cpu() / pixels

    centre = float(scores(reference)[0].median())
    clean, clean_variation = scores(heads)
    found: dict[str, results.SliceGroup] = {}
    for name, x in groups.items():
        if x is None:
            found[name] = results.SliceGroup(absent=f"no slices of another region at the data tier {config.data_tier}")
            continue
        values, variation = scores(x)
        arrays[f"detection.{name}.R"], arrays[f"detection.{name}.image"] = values.numpy(), x[len(x) // 2, 0].cpu().numpy()
        found[name] = results.SliceGroup(
            quartiles=quartiles(values[None])[:, 0].tolist(),
            quartiles_total_variation=quartiles(variation[None])[:, 0].tolist(),
        )
        if name != "head":
            plain, texture = auroc(clean, values), auroc(clean_variation, variation)
            told = {
                "auroc": plain,
                "auroc_two_sided": auroc((clean - centre).abs(), (values - centre).abs()),
                "auroc_total_variation": texture,
                "verdict": verdict(plain, texture),
            }
            found[name] = found[name].model_copy(update=told)
    return results.SliceDetection.model_validate(
        {"reference": results.Reference(median=centre, slices=len(reference)), "slices": len(heads), **found}
    )


def verdict(plain: float, texture: float) -> str:
    """Say what an AUROC of R means beside that of total variation."""
    told = max(plain, 1 - plain)
    if told < 0.7:
        return "R does not tell these slices from those of a head"
    direction = "higher" if plain > 0.5 else "lower"
    known = plain if abs(plain - texture) <= SAME else None
    if known is not None:
        return f"R is {direction}, and total variation tells them as well: R measures texture here, not anatomy"
    if told <= max(texture, 1 - texture):
        return f"R is {direction}, but total variation tells them better: no evidence of more than texture"
    return f"R is {direction} and tells them better than total variation"


def readings(photographs: results.PhotographLandscapes, calibration: results.Calibration) -> list[str]:
    """Return what the numbers show, in sentences that follow them."""
    noise, blur = (np.array(path.median, dtype=float) for path in (photographs.noise, photographs.blur))
    risen = "rises" if photographs.noise.median_rises_strictly else "does not rise throughout"
    found = [f"The median of R {risen} with noise, from {noise[0]:.3g} to {noise[-1]:.3g} a pixel."]
    if blur[-1] < blur[0]:
        found.append(
            f"It falls with blur, from {blur[0]:.3g} to {blur[-1]:.3g}: this R is a penalty with its minimum at flat pictures; "
            "it tells noise and artefacts, not a lack of detail."
        )
    else:
        found.append(f"It goes from {blur[0]:.3g} to {blur[-1]:.3g} with blur.")
    if (mixed_pairs := photographs.mixing.humps) is not None:
        share = f"{mixed_pairs.above_chord:.0%}"
        found.append(f"Along mixtures R lies above its chord for {share} of the pairs; for a convex R this cannot happen.")
    found.append(
        "Every group of slices is of one subject: an AUROC says how these slices differ, not how well subjects are told."
    )
    found.append(f"The squared error of the crops is {calibration.ratio:.2f} times the predicted posterior variance.")
    return found


def covariance(
    network: LearnedProximalNetwork, config: PriorConfig, seeds: Seeds, arrays: dict[str, np.ndarray], device: str
) -> results.Covariance:
    """Return leading directions of the first crop's posterior and the calibration of the variances of all crops."""
    crops = validation_crops("photo-grey", config.data_tier, config.covariance_size, config.covariance_pictures, SEED)
    x = torch.from_numpy(crops).to(device)
    y = x + SIGMA * _normal(x, seeds("prior", "covariance"))
    generator = torch.Generator().manual_seed(seeds("prior", "probes"))
    images, variances = [], []
    directions: results.Directions | None = None
    for index in range(len(x)):
        at = linearise(network, y[index : index + 1], SIGMA)
        images.append(at.image)
        variances.append(pixel_variance(at, config.spacing, generator))
        if index == 0:
            found = leading_directions(at, config.directions, config.lanczos_steps, generator)
            total = float(variances[0].sum())
            directions = results.Directions(
                variance=found.variance.tolist(),
                share_of_total=(found.variance / total).tolist(),
                residual=found.residual.tolist(),
                total_variance=total,
            )
            arrays["covariance.directions"] = found.image[:, 0].cpu().numpy()
    f, v = torch.cat(images), torch.cat(variances)
    error = f - x
    for name, value in (("truth", x), ("noisy", y), ("denoised", f), ("deviation", v.clamp(min=0).sqrt()), ("error", error)):
        arrays[f"covariance.{name}"] = value[:, 0].cpu().numpy()
    each = (error.square().mean((1, 2, 3)) / v.mean((1, 2, 3))).tolist()
    more = {"ratio_each": tuple(each), "negative_share": float((v < 0).double().mean())}
    assert directions is not None, "the settings ask for one crop at least"
    return results.Covariance(directions=directions, calibration=calibrate(v, error).model_copy(update=more), crops=len(x))


def wrong_sigma(network: LearnedProximalNetwork, x: Images, config: PriorConfig, seeds: Seeds) -> results.WrongSigma:
    """Return the mean PSNR of denoised photographs when the noise level given is a multiple of the true one."""
    y = x + SIGMA * _normal(x, seeds("prior", "robustness"))

    def mean_psnr(estimate: Images) -> float:
        return float((-10 * (estimate.clamp(0, 1) - x).square().mean((1, 2, 3)).log10()).mean())

    rows = []
    for factor in SIGMA_FACTORS:
        clean = torch.cat([network(part, factor * SIGMA) for part in y.split(2)])
        rows.append(results.SigmaFactor(factor=factor, psnr=mean_psnr(clean)))
    return results.WrongSigma(noisy_psnr=mean_psnr(y), rows=rows, photographs=len(x))
