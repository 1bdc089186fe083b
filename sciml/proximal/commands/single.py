"""One file of the user's own: denoise it, or reconstruct it with a certificate."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml import batch
from sciml.formats.read import read_image
from sciml.imaging.metrics import psnr
from sciml.imaging.similarity import ssim
from sciml.imaging.solvers.classical import first_guess
from sciml.imaging.tasks.problems import FileProblem, read_problem, write_result
from sciml.imaging.tasks.scale import Batch, Origin, check_output, range_of, range_of_noisy, to_batch, write_batch
from sciml.proximal.networks.choice import AUTO, denoiser_for, network_for
from sciml.proximal.networks.guided import GuidedNetwork
from sciml.proximal.networks.loading import for_network, load_model, parts, warn_if_far
from sciml.proximal.networks.network import Images, LearnedProximalNetwork
from sciml.proximal.reconstruction.operators import inspect_operator
from sciml.proximal.reconstruction.reconstruct import Reconstruction, reconstruct
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import write_json, write_text
from sciml.runtime.seeds import Seeds

ESTIMATED_ON = 16


def denoise_file(
    image: Path,
    out: Path,
    model: str = AUTO,
    sigma: float | None = None,
    value_range: Sequence[float] | None = None,
    device: str = "cpu",
    fast: bool = False,
) -> str:
    """Remove white noise from an image file, write the result in the units of the file, and return what was done.

    Args:
        image: picture, slice or volume with noise; the slices of a volume, and the colours for a grey network, one by one.
        out: result, by its suffix.
        model: shipped name or weight file; `auto`: by the channels, see `denoiser_for`.
        sigma: standard deviation of the noise on the scale from 0 to 1; None: estimated from wavelet coefficients.
        value_range: the values that become 0 and 1; needed for floats that are not on that scale.
        device: `cpu` or `cuda`.
        fast: let `auto` choose the explicit form.

    Raises:
        ConfigError, DataError, FormatError, ShapeError: file, network, noise level and output do not fit one another.
    """
    if sigma is not None and not 0 <= sigma <= 1:
        raise ConfigError(
            f"--noise-std is a number from 0 to 1, on the scale that the values have or get by --range, got {sigma:g}"
        )
    picture = read_image(image)
    choice = denoiser_for(picture.axes, model, fast)
    model, network = choice.name, load_model(choice.name, device)
    origin = Origin.of(picture, range_of_noisy(picture, value_range))
    batch = to_batch(picture, origin.value_range)
    check_output(out, origin.axes, len(batch))
    images = for_network(batch, picture, network, model)
    given = sigma is not None
    level = estimated_noise(batch, image.name) if sigma is None else sigma
    if level == 0:
        warnings.warn("sigma is 0: there is no noise to remove, and the result is the image itself", stacklevel=2)
        clean = images
    else:
        warn_if_far(network, model, level)
        clean = denoised(network, images, level, device)
    write_batch(out, clean.reshape(batch.shape), origin)
    units = (
        ""
        if origin.value_range == (0.0, 1.0)
        else f" ({level * (origin.value_range[1] - origin.value_range[0]):.3g} in its units)"
    )
    why = f" ({choice.reason})" if choice.reason else ""
    return f"{out}: {model}{why} at sigma {level:.4g}{units}, {'as given' if given else 'estimated; --noise-std sets it'}"


def denoise_files(
    jobs: Sequence[batch.Job],
    model: str,
    sigma: float | None,
    value_range: Sequence[float] | None,
    device: str,
    force: bool,
    say: Callable[[str], None],
    fast: bool = False,
) -> None:
    """Denoise each file of some jobs, as `denoise_file`; what is there is kept, unless `force`.

    Raises:
        ScimlError: see `sciml.batch.run`.
    """

    def work(job: batch.Job) -> batch.Outcome:
        assert job.target is not None
        if there := batch.kept(job, job.target, force):
            return there
        return batch.Outcome(job.source, denoise_file(job.source, job.target, model, sigma, value_range, device, fast))

    batch.run(work, jobs, say)


def denoised(network: LearnedProximalNetwork | GuidedNetwork, images: Images, sigma: float, device: str = "cpu") -> Images:
    """Return f_sigma of many images, a few at a time."""
    return torch.cat([network(images[part].to(device), sigma).cpu() for part in parts(images)])


def score_files(
    paths: Sequence[Path],
    sigma: float,
    model: str,
    seed: int,
    value_range: Sequence[float] | None,
    device: str,
    say: Callable[[str], None],
) -> None:
    """Tell PSNR and SSIM of clean files to which noise was added, before and after it was removed.

    Scores are means over the channels or slices of a file, cut to [0, 1].

    Args:
        paths: pictures, slices or volumes without noise.
        sigma: standard deviation of the noise, on the scale from 0 to 1.
        model: shipped name or weight file.
        seed: seed of the noise.
        value_range: the values that become 0 and 1, beyond which they are cut; `range_of` says the default.
        device: `cpu` or `cuda`.
        say: takes the line of each file.

    Raises:
        ScimlError: see `sciml.batch.run`.
    """
    if not 0 < sigma <= 1:
        raise ConfigError(f"the noise is a number above 0 and at most 1, got {sigma:g}")
    networks = {axes: denoiser_for(axes, model).name for axes in ("HW", "HWC", "DHW")}
    loaded = {name: load_model(name, device) for name in ({model} - {AUTO} or set(networks.values()))}
    for name, network in loaded.items():
        warn_if_far(network, name, sigma)

    def work(job: batch.Job) -> batch.Outcome:
        picture = read_image(job.source)
        name = networks[picture.axes]
        network = loaded[name]
        clean = to_batch(picture, range_of(picture, value_range), clip=True)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(Seeds(seed)("noise")))
        noisy = clean + sigma * noise
        found = denoised(network, for_network(noisy, picture, network, name), sigma, device).reshape(clean.shape)
        pairs = [
            [(psnr(a, b, 1), ssim(a, b)) for a, b in zip(x.clamp(0, 1)[:, 0].numpy(), clean[:, 0].numpy(), strict=True)]
            for x in (noisy, found)
        ]
        (before, likeness_before), (after, likeness_after) = np.array(pairs).mean(1).tolist()
        scores = f"PSNR {before:.2f} -> {after:.2f} dB\tSSIM {likeness_before:.4f} -> {likeness_after:.4f}"
        return batch.Outcome(job.source, f"{job.source.name}\t{scores}\t{name}")

    batch.run(work, [batch.Job(path) for path in paths], say)


def estimated_noise(batch: Batch, name: str) -> float:
    """Return the mean over some pictures of the noise level that the finest wavelet coefficients show (Donoho 1994).

    Raises:
        ConfigError: they show none.
    """
    from skimage.restoration import estimate_sigma

    chosen = batch[:: math.ceil(len(batch) / ESTIMATED_ON), 0].numpy()
    level = float(np.mean([estimate_sigma(picture) for picture in chosen]))
    if not (level > 0 and math.isfinite(level)):
        raise ConfigError(f"no noise was found in {name}: say with --noise-std how much there is")
    return min(level, 1.0)


@dataclass(frozen=True)
class Outcome:
    """Reconstructions of the channels or slices of a file, a few at a time.

    Attributes:
        model: name of the network.
        problem: what was reconstructed.
        runs: one result for each group of images, in order.
        why: the network was chosen; empty where the user named it.
    """

    model: str
    problem: FileProblem
    runs: tuple[Reconstruction, ...]
    why: str = ""

    @property
    def certified(self) -> bool:
        """Whether all of them are certified."""
        return all(run.certificate.certified for run in self.runs)

    @property
    def reason(self) -> str:
        """The reason of the first that is not certified, or of all."""
        return next(
            (run.certificate.reason for run in self.runs if not run.certificate.certified), self.runs[0].certificate.reason
        )

    def line(self) -> str:
        """Return the outcome in one line."""
        final = torch.cat([run.objective[-1] for run in self.runs])
        what = f"F {float(final.mean()):.6g}" + (f" (mean of {len(final)})" if len(final) > 1 else "")
        norm, gradients = self.runs[0].certificate.numbers["norm_squared"], sum(run.gradients for run in self.runs)
        reason = self.reason.removeprefix("not certain: ")
        return (
            f"{'certified' if self.certified else 'uncertified'}: {reason} | {what}, ||A||^2 {norm:.4g}, {gradients} gradients, "
            f"{self.model}{f' ({self.why})' if self.why else ''}, {self.runs[0].solver}"
        )

    def record(self) -> dict[str, Any]:
        """Return everything behind the certificate as JSON values."""
        groups = []
        for run in self.runs:
            lists = {key: getattr(run, key).tolist() for key in ("weight", "sigma", "noise_std", "residual")}
            groups.append(
                {"images": len(run.image), "iterations": run.iterations, "gradients": run.gradients, "converged": run.converged}
                | {"safe_steps": run.safe_steps, "objective": run.objective[-1].tolist()}
                | lists
                | asdict(run.certificate)
            )
        task = {"name": self.problem.task.name, "options": dict(self.problem.task.options), "seed": self.problem.task.seed}
        return {
            "certified": self.certified,
            "reason": self.reason,
            "model": self.model,
            "solver": self.runs[0].solver,
            "task": task,
            "groups": groups,
        }

    def curve(self) -> str:
        """Return F of each image and iteration as CSV."""
        lines, first = ["image,iteration,objective"], 0
        for run in self.runs:
            for image in range(len(run.image)):
                values: list[Float[Tensor, " batch"]] = run.objective
                lines += [f"{first + image},{step},{float(value[image])!r}" for step, value in enumerate(values)]
            first += len(run.image)
        return "\n".join(lines) + "\n"


def reconstruct_file(
    measurement: Path,
    out: Path,
    model: str | None = None,
    name: str | None = None,
    options: Sequence[str] = (),
    kernel: Path | None = None,
    seed: int = 0,
    mask: Path | None = None,
    value_range: Sequence[float] | None = None,
    *,
    weight: float = 1.0,
    noise_std: float | None = None,
    sigma: float | None = None,
    solver: str = "auto",
    step: float | None = None,
    penalty: float | None = None,
    allow_uncertified: bool = False,
    certificate: Path | None = None,
    curve: Path | None = None,
    device: str = "cpu",
    fast: bool = False,
) -> Outcome:
    """Reconstruct a measurement file, or an image or sinogram that is a measurement itself, and write the result.

    Args:
        measurement: as `sciml.imaging.tasks.problems.read_problem` takes it, with what follows up to `value_range`.
        out: result, by its suffix.
        model: shipped name or weight file; None or `auto`: the one for the task.
        name: task, where the measurement is an image.
        options: `key=value` texts of the task.
        kernel: a blur kernel of the user's.
        seed: seed of the task's physics.
        mask: which pixels were measured.
        value_range: the values of an image that become 0 and 1.
        weight: multiple of the natural weight of the prior.
        noise_std: noise of an entry of the measurement, in the units of the file mapped by its range; None: that of the task.
        sigma: noise level of R; None: that which a pixel sees.
        solver: see `sciml.proximal.reconstruct`.
        step: step of pgd.
        penalty: penalty of ADMM.
        allow_uncertified: run also where convergence is not certain from the start.
        certificate: JSON file to write.
        curve: CSV file to write.
        device: `cpu` or `cuda`.
        fast: let the explicit form be chosen.
    """
    problem = read_problem(measurement, out, name, options, kernel, seed, device, mask, value_range)
    choice = network_for(problem.task.name, model, fast)
    chosen, network = choice.name, load_model(choice.name, device)
    if network.channels != 1:
        raise ConfigError(f"reconstruction goes channel by channel, {chosen} takes {network.channels} at once; take a grey model")
    noise = None if noise_std is None else noise_std / problem.scale
    physics, data = problem.task.physics, problem.data
    facts = inspect_operator(physics, first_guess(data[:1].to(device), physics))
    runs = []
    for part in parts(data, pixels=math.prod(problem.task.canvas)):
        runs.append(
            reconstruct(
                data[part].to(device),
                physics,
                network,
                noise,
                weight=weight,
                sigma=sigma,
                solver=solver,
                step=step,
                penalty=penalty,
                allow_uncertified=allow_uncertified,
                facts=facts,
            )
        )
    outcome = Outcome(chosen, problem, tuple(runs), choice.reason)
    write_result(out, problem, torch.cat([run.image.cpu() for run in runs]))
    if certificate is not None:
        write_json(certificate, outcome.record())
    if curve is not None:
        write_text(curve, outcome.curve())
    return outcome
