"""The logistic mixed-effects course: fit by the Laplace-approximated likelihood, forecast from one visit or more.

The population's parameters theta minimise

    L(theta) = sum_i [ E_i(u_i*) + sum_jk ln sigma_k + ln det H_i / 2 ],    u_i* = argmin E_i(u; theta)            (1)

with E_i and H_i of `course_curves`. u_i* moves with theta: one attached Newton step u_i* - H_i^{-1} E_i'(u_i*; theta), whose
value is u_i*, has the derivative of the implicit function theorem, so that L-BFGS gets the gradient of (1) with H in its
Gauss-Newton form.

Logarithms of volumes are scaled to (0, 1) by the range of the training subjects, widened at both ends since the curves
never reach theirs, and turned round where they fall with age. (Published: the volumes themselves, by their range.) Each
diagnosis has a population of its own: whoever had it at a visit. (Published: at the last one.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from sciml.progression.courses.course import Course, CourseForecast, CourseModel, later
from sciml.progression.courses.curves import CurveParameters, curves, energy_of, most_probable, slope_of
from sciml.runtime.errors import ConfigError, DataError

MARGIN = 1.0
FEWEST = 2
# exact volumes have no noise, and a likelihood without end: 0.1 % of the range is always granted
BOUNDS = {
    "log_g": (-6.0, 6.0),
    "log_v": (-10.0, 0.0),
    "log_s_tau": (-3.0, 4.0),
    "log_s_xi": (-4.0, 1.0),
    "log_sigma": (-6.9, 0.0),
}
NAMES = ("log_g", "log_v", "tau", "log_s_tau", "log_s_xi", "mixing", "log_sigma")


class LogisticMixed(CourseModel):
    """Logistic curves with a subject's own time, pace and regional differences, one population a diagnosis.

    Args:
        regions: names of the volumes.
        scale: low and high end of each volume in ml, or of its logarithm, shape (2, regions).
        falling: which volumes shrink with age.
        populations: parameters by diagnosis.
        logarithmic: whether logarithms of volumes follow the curves, or, as published, volumes.
    """

    kind = "logistic_mixed"

    def __init__(
        self,
        regions: Sequence[str],
        scale: np.ndarray,
        falling: np.ndarray,
        populations: Mapping[str, CurveParameters],
        logarithmic: bool = True,
    ) -> None:
        self.regions = tuple(regions)
        self.scale, self.falling = np.asarray(scale, dtype=float), np.asarray(falling, dtype=bool)
        self.populations, self.logarithmic = dict(populations), logarithmic

    @classmethod
    def fit(cls, people: Sequence[Course], regions: Sequence[str], rounds: int = 300, margin: float = MARGIN) -> Self:
        """Return the model fitted to subjects of two visits and more.

        Args:
            people: courses with volumes in the order of `regions`.
            regions: names of the volumes.
            rounds: largest number of L-BFGS iterations a population.
            margin: by which the range is widened at each end, in parts of it.

        Raises:
            DataError: a diagnosis has fewer than two subjects of two visits.
        """
        known = [person for person in people if len(person.ages) > 1]
        # whose diagnosis changes is one of both groups, for so it may go with either
        names = sorted({name for person in people for name in person.diagnoses})
        groups = {name: [person for person in known if name in person.diagnoses] for name in names}
        for name, group in groups.items():
            if len(group) < FEWEST:
                raise DataError(f"{name} has {len(group)} subjects of two visits and more, a course needs at least {FEWEST}")
        volumes = np.log(np.concatenate([person.volumes for person in known]))
        low, high = np.nanmin(volumes, axis=0), np.nanmax(volumes, axis=0)
        scale = np.stack([low - margin * (high - low), high + margin * (high - low)])
        falling = np.nanmean([(p.volumes[-1] - p.volumes[0]) / (p.ages[-1] - p.ages[0]) for p in known], axis=0) < 0
        model = cls(regions, scale, falling, {})
        for name, group in groups.items():
            model.populations[name] = fit_population(*model._tensors(group), rounds)
        return model

    def predict(self, history: Course, ages: Sequence[float] | np.ndarray) -> CourseForecast:
        """Return mean and standard deviation at ages after the last visit; the mean is the most probable curve's value."""
        asked = later(history, ages)
        parameters, effects, precision = self._personalise(history)
        values, jacobian = curves(parameters, effects, torch.as_tensor(asked)[None])
        # sd^2 = diag(J H^{-1} J^T) + sigma^2
        spread = torch.einsum("vke,ef,vkf->vk", jacobian[0], torch.linalg.inv(precision[0]), jacobian[0])
        mean = self._volumes(values[0].numpy())
        sd = (spread + (2 * parameters.log_sigma).exp()).sqrt().numpy() * (self.scale[1] - self.scale[0])
        return CourseForecast(asked, mean, sd * mean if self.logarithmic else sd)

    def sample(self, history: Course, ages: Sequence[float] | np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
        """Return joint draws from the Gaussian approximation of the subject's effects."""
        asked = later(history, ages)
        parameters, effects, precision = self._personalise(history)
        root = torch.linalg.cholesky(torch.linalg.inv(precision[0]))
        draws = effects + torch.as_tensor(random.standard_normal((count, effects.shape[1]))) @ root.T
        values, _ = curves(parameters, draws, torch.as_tensor(asked)[None].expand(count, -1))
        return self._volumes(values.numpy())

    def _personalise(self, history: Course) -> tuple[CurveParameters, Tensor, Tensor]:
        if history.diagnosis not in self.populations:
            raise ConfigError(f"no course was fitted for {history.diagnosis}; known are {', '.join(sorted(self.populations))}")
        parameters = self.populations[history.diagnosis]
        ages, measured, known = self._tensors([history])
        return parameters, *most_probable(parameters, ages, measured, known / (2 * parameters.log_sigma).exp())

    def _tensors(self, people: Sequence[Course]) -> tuple[Tensor, Tensor, Tensor]:
        """Return ages, scaled volumes and a mask of what was measured, padded to the largest number of visits."""
        most = max(len(person.ages) for person in people)
        ages = np.stack([np.pad(p.ages, (0, most - len(p.ages)), mode="edge") for p in people])
        volumes = np.stack([np.pad(p.volumes, ((0, most - len(p.ages)), (0, 0)), constant_values=np.nan) for p in people])
        scaled = ((np.log(volumes) if self.logarithmic else volumes) - self.scale[0]) / (self.scale[1] - self.scale[0])
        scaled = np.where(self.falling, 1 - scaled, scaled)
        known = np.isfinite(scaled)
        return torch.as_tensor(ages), torch.as_tensor(np.where(known, scaled, 0.0)), torch.as_tensor(known.astype(float))

    def _volumes(self, values: np.ndarray) -> np.ndarray:
        rising = self.scale[0] + np.where(self.falling, 1 - values, values) * (self.scale[1] - self.scale[0])
        return np.exp(rising) if self.logarithmic else rising

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what the model learned, by name."""
        learned = {
            "scale": self.scale,
            "falling": self.falling.astype(np.int64),
            "logarithmic": np.array([self.logarithmic], dtype=np.int64),
        }
        for diagnosis, parameters in self.populations.items():
            learned |= {f"{diagnosis}/{name}": getattr(parameters, name).numpy() for name in NAMES}
        return learned

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], regions: Sequence[str]) -> Self:
        """Return the model that `arrays` described."""
        diagnoses = sorted({name.partition("/")[0] for name in arrays if "/" in name})
        populations = {
            diagnosis: CurveParameters(**{name: _parameter(arrays[f"{diagnosis}/{name}"], name) for name in NAMES})
            for diagnosis in diagnoses
        }
        return cls(regions, arrays["scale"], arrays["falling"].astype(bool), populations, bool(arrays["logarithmic"][0]))


def _parameter(array: np.ndarray, name: str) -> Tensor:
    # files may hold a scalar as a vector of one
    value = torch.as_tensor(np.array(array, dtype=float))
    return value.reshape(()) if name in ("tau", "log_s_tau", "log_s_xi") else value


def fit_population(ages: Tensor, measured: Tensor, known: Tensor, rounds: int) -> CurveParameters:
    """Return the parameters that minimise (1) with a weak prior.

    Args:
        ages: in years, shape (subjects, visits).
        measured: rising values in (0, 1), shape (subjects, visits, features).
        known: 1 where a value was measured, 0 where not, same shape.
        rounds: largest number of L-BFGS iterations.
    """
    first = _first_guess(ages, measured, known)
    shapes = {name: getattr(first, name).shape for name in NAMES}
    sizes = [max(1, shape.numel()) for shape in shapes.values()]
    # steps of L-BFGS are of one size in all directions: a year of tau is as far as a tenth of a logarithm
    unit = torch.cat(
        [torch.full((size,), 10.0 if name == "tau" else 1.0) for name, size in zip(NAMES, sizes, strict=True)]
    ).double()
    effects = torch.zeros(len(ages), 2 + first.mixing.shape[1], dtype=torch.double)

    def unpack(vector: Tensor) -> CurveParameters:
        parts = torch.split(vector * unit, sizes)
        return CurveParameters(**{n: part.reshape(shapes[n]) for n, part in zip(NAMES, parts, strict=True)})

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal effects
        vector = torch.tensor(point, requires_grad=True)
        loss, effects = _laplace(unpack(vector), ages, measured, known, effects)
        loss.backward()
        assert vector.grad is not None
        return float(loss.detach()), vector.grad.numpy()

    start = torch.cat([getattr(first, name).reshape(-1) for name in NAMES]) / unit
    bounds = [pair for name, size in zip(NAMES, sizes, strict=True) for pair in [BOUNDS.get(name, (None, None))] * size]
    found = minimize(
        objective, start.numpy(), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": rounds, "maxcor": 20}
    )
    return unpack(torch.as_tensor(found.x))


def _laplace(parameters: CurveParameters, ages: Tensor, measured: Tensor, known: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Return (1), a weak prior included, and the effects at its inner minimum."""
    weight = known / (2 * parameters.log_sigma).exp()
    fixed = CurveParameters(**{name: getattr(parameters, name).detach() for name in NAMES})
    mode, precision = most_probable(fixed, ages, measured, weight.detach(), start)
    identity = torch.eye(mode.shape[1], dtype=mode.dtype)
    values, jacobian = curves(parameters, mode, ages)
    gradient, _ = slope_of(values, jacobian, mode, measured, weight, identity)
    moved = mode - torch.linalg.solve(precision, gradient)
    values, jacobian = curves(parameters, moved, ages)
    _, curvature = slope_of(values, jacobian, moved, measured, weight, identity)
    logdet = torch.linalg.slogdet(curvature)[1].sum()
    loss = energy_of(values, moved, measured, weight).sum() + (known * parameters.log_sigma).sum() + 0.5 * logdet
    # small groups cannot tell how different subjects are: s_xi near 0.3, s_tau near 6 years, noise near 0.02, to a factor of e
    prior = (parameters.log_s_xi - np.log(0.3)).square() + (parameters.log_s_tau - np.log(6.0)).square()
    prior = prior + 0.1 * (parameters.log_sigma - np.log(0.02)).square().sum() + 0.5 * (parameters.mixing / 0.1).square().mean()
    return loss + 0.5 * prior, mode


def _first_guess(ages: Tensor, measured: Tensor, known: Tensor) -> CurveParameters:
    """Start at the mean value and the mean slope of each feature, at the mean age."""
    features = measured.shape[2]
    count = known.sum((0, 1)).clamp(min=1)
    mean = ((known * measured).sum((0, 1)) / count).clamp(0.05, 0.95)
    tau = (known.amax(2) * ages).sum() / known.amax(2).sum()
    # slope of y against age around each subject's own means
    per_person = known.sum(1, keepdim=True).clamp(min=1)
    centred = (ages[..., None] - (known * ages[..., None]).sum(1, keepdim=True) / per_person) * known
    slope = (centred * measured).sum((0, 1)) / centred.square().sum((0, 1)).clamp(min=1e-9)
    sources = max(1, features - 1)
    pattern = np.random.default_rng(0).normal(size=(features, sources)) * 0.05
    return CurveParameters(
        log_g=((1 - mean) / mean).log(),
        log_v=slope.clamp(min=1e-3).log(),
        tau=tau,
        log_s_tau=torch.tensor(np.log(6.0)),
        log_s_xi=torch.tensor(np.log(0.3)),
        mixing=torch.as_tensor(pattern),
        log_sigma=torch.full((features,), float(np.log(0.03)), dtype=torch.double),
    )
