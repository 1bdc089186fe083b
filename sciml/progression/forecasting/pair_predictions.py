"""Forecasts of all pairs (history up to A, follow-up B) of a split at once: what the study compares with the truth.

The history of a pair is every visit up to A. The covariates at B come from a course model, from the truth (an upper bound of
the image model), or from A with B's age alone (without an auxiliary model).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.progression.cohorts.cohort import Cohort, Split, Visit
from sciml.progression.cohorts.covariates import context_of
from sciml.progression.courses.fit import anchored, anchored_samples, course_of, spread_around
from sciml.progression.forecasting.diffusion import Averaged
from sciml.progression.forecasting.prediction import DECODED_AT_ONCE, Question, decode, followup_latents, images_of
from sciml.progression.networks.model_files import ForecastModel
from sciml.progression.settings.models import VariantConfig
from sciml.runtime.seeds import Seeds


@dataclass(frozen=True)
class Pair:
    """A question with a known answer.

    Attributes:
        history: the visits of one subject up to A.
        followup: B.
    """

    history: tuple[Visit, ...]
    followup: Visit

    @property
    def start(self) -> Visit:
        """Return A."""
        return self.history[-1]

    @property
    def gap_years(self) -> float:
        """Return the years from A to B."""
        return self.followup.age_years - self.start.age_years


@dataclass(frozen=True)
class PairPredictions:
    """What a variant says about pairs, and what is true in the latent.

    Attributes:
        images: forecast images.
        chains: standardised latents of the chains.
        start: latents of A.
        truth: latents of B.
        volumes_ml: volumes at B that the image model was told, on average over the chains.
    """

    images: Float[Tensor, "pairs 1 width depth height"]
    chains: Float[Tensor, "chains pairs channel x y z"]
    start: Float[Tensor, "pairs channel x y z"]
    truth: Float[Tensor, "pairs channel x y z"]
    volumes_ml: Float[np.ndarray, "pairs regions"]

    def latent_errors(self) -> dict[int, np.ndarray]:
        """Return the mean squared latent error of each pair after averaging m chains, by m = 1, 2, 4, ...; m = 0 is no change."""
        counts = [2**power for power in range(16) if 2**power <= len(self.chains)]
        found = {count: self.chains[:count].mean(0) for count in counts} | {0: self.start}
        return {count: (mean - self.truth).square().mean((1, 2, 3, 4)).numpy() for count, mean in found.items()}


def pairs_of(cohort: Cohort, split: Split) -> list[Pair]:
    """Return every ordered pair of visits of a split, with the history up to the first."""
    people = cohort.subjects(split)
    return [Pair(people[start.subject][: start.number + 1], followup) for start, followup in cohort.pairs(split)]


def volumes_at(model: ForecastModel, pair: Pair, variant: VariantConfig, seed: int) -> np.ndarray:
    """Return the volumes at B in ml that the image model is told, shape (chains, regions); one row where all hear the same."""
    if variant.volumes == "truth":
        return np.asarray(pair.followup.volumes_ml)[None]
    if variant.volumes == "start":
        return np.asarray(pair.start.volumes_ml)[None]
    history, ages = course_of(pair.history), [pair.followup.age_years]
    course = model.course(variant.how.course)
    mean = anchored(course, history, ages)
    if variant.volumes == "course":
        return mean
    random = np.random.default_rng(Seeds(seed)("course", *_key(pair.start), pair.followup.number))
    return spread_around(mean, anchored_samples(course, history, ages, variant.how.samples, random))[:, 0]


def predict_pairs(
    model: ForecastModel,
    cohort: Cohort,
    pairs: Sequence[Pair],
    variant: VariantConfig,
    seed: int,
    device: str = "cpu",
    known: Tensor | None = None,
) -> PairPredictions:
    """Forecast all pairs.

    Args:
        model: complete, on `device`.
        cohort: with the images.
        pairs: questions.
        variant: of the method.
        seed: of the chains' noise.
        device: of the networks.
        known: chains of a variant that samples alike (`sampling_of`), as many as this one asks for or more.
    """
    if variant.unscaled:
        model = without_scale(model)
    visits = {_key(visit): visit for pair in pairs for visit in (pair.start, pair.followup)}
    rows = {key: row for row, key in enumerate(visits)}
    images = torch.from_numpy(cohort.images(visits.values()))
    latents = torch.cat([model.autoencoder.latent(part.to(device)).cpu() for part in images.split(DECODED_AT_ONCE)])
    starts = torch.tensor([rows[_key(pair.start)] for pair in pairs])
    followups = torch.tensor([rows[_key(pair.followup)] for pair in pairs])
    volumes = np.stack([volumes_at(model, pair, variant, seed) for pair in pairs], axis=1)
    scale = model.scale
    before = np.stack([scale.covariates(v.age_years, v.sex, v.diagnosis, v.volumes_ml) for v in (p.start for p in pairs)])
    after = np.stack(
        [
            [
                scale.covariates(pair.followup.age_years, pair.start.sex, pair.start.diagnosis, row)
                for pair, row in zip(pairs, rows_of, strict=True)
            ]
            for rows_of in volumes
        ]
    )
    context = context_of(model.denoiser.form, np.broadcast_to(before, after.shape), after)
    question = Question(
        latents[starts].to(device),
        torch.from_numpy(before[:, 0]),
        torch.from_numpy(context if len(context) > 1 else context[0]),
        [Seeds(seed)("pairs", *_key(pair.start), pair.followup.number) for pair in pairs],
    )
    if known is None:
        found = followup_latents(model.denoiser, question, float(model.autoencoder.change_sd), variant.how)
    else:
        found = Averaged(known[: variant.how.samples].to(device))
    parts = [
        decode(model.autoencoder, mean, image.to(device), start, variant.how.decoding).cpu()
        for mean, image, start in zip(
            found.mean.split(DECODED_AT_ONCE),
            images[starts].split(DECODED_AT_ONCE),
            question.start.split(DECODED_AT_ONCE),
            strict=True,
        )
    ]
    return PairPredictions(torch.cat(parts), found.chains.cpu(), latents[starts], latents[followups], volumes.mean(0))


def sampling_of(variant: VariantConfig) -> str:
    """Return what decides a variant's chains: equal strings share them, and those of a smaller number are the first ones."""
    # draws of the course are spread around their mean, so they depend on how many there are
    count = variant.how.samples if variant.volumes == "draws" else 1
    how = variant.how.model_copy(update={"decoding": "direct", "samples": count})
    return variant.model_copy(update={"how": how, "keep_chains": False}).model_dump_json()


def decode_chains(
    model: ForecastModel,
    cohort: Cohort,
    pairs: Sequence[Pair],
    found: PairPredictions,
    variant: VariantConfig,
    device: str = "cpu",
) -> np.ndarray:
    """Return each chain's images, shape (m, pairs, x, y, z)."""
    if variant.unscaled:
        model = without_scale(model)
    start = torch.from_numpy(cohort.images(pair.start for pair in pairs))
    parts = []
    for chains, image, latent in zip(
        found.chains.split(DECODED_AT_ONCE, 1), start.split(DECODED_AT_ONCE), found.start.split(DECODED_AT_ONCE), strict=True
    ):
        where = image.to(device), latent.to(device)
        before = images_of(model.autoencoder, where[1]) if variant.how.decoding == "residual" else None
        decoded = [decode(model.autoencoder, chain.to(device), *where, variant.how.decoding, before).cpu() for chain in chains]
        parts.append(torch.stack(decoded)[:, :, 0])
    return torch.cat(parts, dim=1).numpy()


def reconstructions(model: ForecastModel, cohort: Cohort, visits: Sequence[Visit], device: str = "cpu") -> Tensor:
    """Return D(E(x)) of visits, shape (visits, 1, x, y, z): the ceiling of direct decoding, and the base of readouts."""
    parts = torch.from_numpy(cohort.images(visits)).split(DECODED_AT_ONCE)
    encoder = model.autoencoder
    return torch.cat([encoder.image(encoder.latent(part.to(device))).clamp(min=0).cpu() for part in parts])


def without_scale(model: ForecastModel) -> ForecastModel:
    """Return the model with the scale of its latents forgotten: a defect of the authors' program, to be shown."""
    autoencoder = copy.deepcopy(model.autoencoder)
    autoencoder.latent_mean.zero_()
    autoencoder.latent_sd.fill_(1.0)
    return ForecastModel(model.name, model.grid, autoencoder, model.denoiser, model.scale, model.courses, model.about)


def _key(visit: Visit) -> tuple[str, int]:
    return visit.subject, visit.number
