"""Stage `toy`: networks on priors whose exact answer is known, with every difference from it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sciml.proximal.config import ToyConfig
from sciml.proximal.potentials.kinds import build_potential
from sciml.proximal.potentials.potential import Potential
from sciml.proximal.settings.structures import DensePotential, MatchingStage, SmallPotential
from sciml.proximal.study.analytic import Gaussian, Laplace, Points, Prior
from sciml.proximal.study.analytic_nonconvex import StudentT, TwoGaussians
from sciml.proximal.study.analytic_shapes import ExponentialNorm, FinitePoints, UniformBox, UniformDisc, UniformL1Ball
from sciml.proximal.study.posterior import ExactDenoiser, map_estimate, posterior_mean, posterior_median, smoothed_mode
from sciml.proximal.study.results import LearnedLineErrors, LineErrors, PlaneErrors, ToyNumbers
from sciml.proximal.study.toy import Small, SobolPairs, learned_prior, relative_error, train_small
from sciml.runtime.files import save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest
from sciml.training import partial_folder

log = logging.getLogger(__name__)

# prior, noise standard deviation, extent of the data
PRIORS: dict[str, tuple[Callable[[], Prior], float, float]] = {
    "gaussian": (lambda: Gaussian((0.3, -0.2), ((1.0, 0.6), (0.6, 0.5))), 0.5, 3.0),
    "exponential": (lambda: ExponentialNorm(0.5), 0.5, 3.0),
    "box": (lambda: UniformBox(1.0), 0.5, 2.0),
    "disc": (lambda: UniformDisc(1.0), 0.5, 2.0),
    "l1-ball": (lambda: UniformL1Ball(1.0), 0.5, 2.0),
    "points": (lambda: FinitePoints(((1.0, 0.0), (-0.5, 0.8), (-0.5, -0.8)), (0.5, 0.3, 0.2)), 0.3, 2.0),
    "student-t": (lambda: StudentT(1.0, 1.0), 1.0, 4.0),
    "two-gaussians": (lambda: TwoGaussians(1.0, 0.2), 0.5, 2.5),
}
# of samples, and of the networks on the other priors
SEED = 0
# decay of the averaged weights
EMA_DECAY = 0.998
# errors of the prior are taken on the wider range; the samples thin out beyond
RANGE, PRIOR_RANGE, GRID, TEST_POINTS, FARTHEST = 3.0, 3.5, 281, 4096, 8.0


def run(config: ToyConfig, output: Path) -> list[Path]:
    """Write `toy.safetensors` (curves on the line) and `toy.json` (tables of errors).

    Curves of the Laplace prior with b = sigma = 1, float64: `y` (grid), `laplace.<target>.f`, `.psi`, `.R` for the exact
    targets `mse`, `l1` (f alone), `gamma-<g>` and `map`, `laplace.regularizer` (|x| at x = y), and
    `laplace.<network>.<seed>.<target>.f`, `.psi`, `.R` for what was learned; R is R(f(y)) less its value at x = 0.

    Args:
        config: seeds, schedules and priors.
        output: output folder.
    """
    recorder = Recorder("proximal.toy", config.model_dump(mode="json"))
    seeds = Seeds(SEED)
    y = torch.linspace(-PRIOR_RANGE, PRIOR_RANGE, GRID, dtype=torch.float64)[:, None]
    arrays: dict[str, np.ndarray] = {"y": y[:, 0].numpy()}
    rows: list[LearnedLineErrors] = []
    minutes: dict[str, float] = {}
    endings: dict[str, str] = {}
    curves, tables = output / "toy.safetensors", output / "toy.json"
    with partial_folder(curves) as partial:
        identity = {"code": source_digest(__name__), "config": config.model_dump(mode="json")}

        def learn(
            name: str, net: Potential, prior: Prior, sigma: float, plan: tuple[MatchingStage, ...], size: int, after: Any
        ) -> None:
            sample_seed = seeds("toy", name)
            ended = train_small(
                net, prior, sigma, plan, folder=partial / name, seed=sample_seed, batch_size=size, ema_decay=EMA_DECAY,
                after_stage=after, identity=identity,
            )  # fmt: skip
            minutes[name], endings[name] = round(ended.cpu_minutes, 3), ended.reason
            log.info("%s: %s, %.2f CPU minutes", name, ended.reason, ended.cpu_minutes)

        laplace = Laplace(1.0)
        networks = [("small", seed, config.schedule) for seed in config.seeds]
        if config.published_schedule is not None:
            networks.append(("published", config.seeds[0], config.published_schedule))
        # The squared error is learned by a network of its own: it is another answer, no step towards the MAP.
        mean_plan = (MatchingStage(loss="mse", steps=config.schedule[0].steps, learning_rate=config.schedule[0].learning_rate),)
        networks.append(("small", config.seeds[0], mean_plan))
        exact = {name: value for _, _, plan in networks for name, value in targets(laplace, y, 1.0, plan).items()}
        keep(arrays, "laplace", {**exact, "map": map_estimate(laplace, y, 1.0)}, y)
        arrays["laplace.regularizer"] = y[:, 0].abs().numpy()
        for kind, seed, plan in networks:
            key = f"laplace.{kind}.{seed}"
            network = build_network(kind, 1, 4.0, seed)

            def after(index: int, model: nn.Module, key: str = key, plan: Any = plan, kind: str = kind, seed: int = seed) -> None:
                target = label(plan[index])
                learned = ExactDenoiser(*learned_prior(as_potential(model), y)[:2])
                keep(arrays, key, {target: learned}, y)
                errors = line_errors(y, learned, exact[target], laplace, target)
                rows.append(LearnedLineErrors(network=kind, seed=seed, **errors.model_dump(exclude_unset=True)))
                log.info("%s %s: max %.3f, mean %.4f", key, target, errors.own_max, errors.own_mean)

            learn(f"{key}.{label(plan[0])}", network, laplace, 1.0, plan, config.batch_size, after)
        others = [row for name in config.priors for row in other_prior(name, config, learn)]
        metadata = {"prior": "Laplace b = 1, noise 1", "targets": [*exact, "map"]}
        save_tensors(curves, arrays, metadata)
        known = [line_errors(y, denoiser, denoiser, laplace, name) for name, denoiser in exact.items()]
        write_result(tables, ToyNumbers(laplace=rows, exact=known, priors=others, endings=endings))
    recorder.seeds = seeds.used
    recorder.notes = {"cpu_minutes": minutes}
    recorder.write(output / "provenance.json", [curves, tables])
    return [curves, tables]


def build_network(kind: str, dimension: int, reach: float, seed: int) -> Potential:
    """Return the untrained small network, one hidden layer on the line and two beyond, or the published one."""
    if kind == "published":
        return build_potential(DensePotential(channels=dimension), seed)
    widths = (64,) if dimension == 1 else (64, 64)
    return Small(SmallPotential(dimension=dimension, widths=widths, reach=reach), torch.Generator().manual_seed(seed))


def as_potential(model: nn.Module) -> Potential:
    """Return a model as the potential that it is."""
    assert isinstance(model, Potential)
    return model


def label(stage: MatchingStage) -> str:
    """Return `l1`, `mse` or `gamma-0.1`."""
    return stage.loss if stage.gamma is None else f"gamma-{stage.gamma:g}"


def targets(prior: Prior, y: Points, sigma: float, plan: tuple[MatchingStage, ...]) -> dict[str, ExactDenoiser]:
    """Return the exact minimiser of every stage's loss, by its label; the median's potential is not known (NaN)."""
    found = {}
    for stage in plan:
        if stage.gamma is not None:
            found[label(stage)] = smoothed_mode(prior, y, sigma, stage.gamma)
        elif stage.loss == "mse":
            found[label(stage)] = posterior_mean(prior, y, sigma)
        else:
            found[label(stage)] = ExactDenoiser(posterior_median(prior, y, sigma), y.new_full((len(y),), torch.nan))
    return found


def keep(arrays: dict[str, np.ndarray], key: str, denoisers: dict[str, ExactDenoiser], y: Points) -> None:
    """Put f, psi and R of denoisers on the line into `arrays`."""
    for name, denoiser in denoisers.items():
        arrays[f"{key}.{name}.f"] = denoiser.denoised[:, 0].numpy()
        if not bool(denoiser.potential.isnan().any()):
            arrays[f"{key}.{name}.psi"] = denoiser.potential.numpy()
            arrays[f"{key}.{name}.R"] = prior_from_zero(denoiser, y)


def prior_from_zero(denoiser: ExactDenoiser, y: Points) -> np.ndarray:
    """Return R(f(y)) - R(0), R(0) by interpolation between the points next to x = 0."""
    x, values = denoiser.denoised[:, 0].numpy(), denoiser.regularizer(y).numpy()
    return values - np.interp(0.0, x, values)


def line_errors(y: Points, learned: ExactDenoiser, exact: ExactDenoiser, prior: Prior, target: str) -> LineErrors:
    """Return how far f is from the exact minimiser of its loss and from the MAP, and R from the exact ones.

    f on |y| <= 3; R on |y| <= 3.5, both taken at the same x = f(y), where x is in the exact range too.
    """
    inner = y[:, 0].abs() <= RANGE + 1e-9
    own = (learned.denoised - exact.denoised)[inner].abs()
    to_map = (learned.denoised - prior.prox(y, 1.0))[inner].abs()
    x, values = learned.denoised[:, 0].numpy(), prior_from_zero(learned, y)
    to_size = np.abs(values - np.abs(x))
    known: dict[str, float] = {}
    if not bool(exact.potential.isnan().any()):
        exact_x = exact.denoised[:, 0].numpy()
        both = (x >= exact_x[0]) & (x <= exact_x[-1])
        gap = np.abs(values - np.interp(x, exact_x, prior_from_zero(exact, y)))[both]
        known = {"prior_own_max": float(gap.max()), "prior_own_mean": float(gap.mean())}
    return LineErrors(
        target=target,
        own_max=float(own.max()),
        own_mean=float(own.mean()),
        map_max=float(to_map.max()),
        map_mean=float(to_map.mean()),
        slope_max=float(((learned.denoised[1:] - learned.denoised[:-1]) / (y[1:] - y[:-1])).max()),
        prior_map_mean=float(to_size.mean()),
        prior_map_max=float(to_size.max()),
        **known,
    )


def other_prior(name: str, config: ToyConfig, learn: Callable[..., None]) -> list[PlaneErrors]:
    """Learn one of the other priors and return its errors after each stage, over samples of y that training never saw.

    Points farther out than 8 are left out (heavy tails).
    """
    make, sigma, reach = PRIORS[name]
    prior = make()
    y: Tensor = SobolPairs(prior, sigma, TEST_POINTS, Seeds(SEED)("toy", "test", name)).batch(0)[0].double()
    y = y[y.abs().amax(1) <= FARTHEST]
    rows: list[PlaneErrors] = []

    def after(index: int, model: nn.Module) -> None:
        stage = config.priors_schedule[index]
        f = learned_prior(as_potential(model), y)[0]
        own: dict[str, float] = {}
        if stage.loss != "l1" or isinstance(prior, Gaussian):
            # mean and median of a Gaussian agree
            plan = (stage if stage.loss != "l1" else MatchingStage(loss="mse", steps=1, learning_rate=1.0),)
            (exact,) = targets(prior, y, sigma, plan).values()
            own["own_relative"] = float(relative_error(f, exact.denoised))
        to_map = float(relative_error(f, prior.prox(y, sigma)))
        rows.append(PlaneErrors(prior=name, sigma=sigma, target=label(stage), points=len(y), map_relative=to_map, **own))
        log.info("%s %s: %s", name, label(stage), rows[-1].own_relative)

    network = build_network("small", prior.dimension, reach, SEED)
    learn(name, network, prior, sigma, config.priors_schedule, config.priors_batch_size, after)
    return rows
