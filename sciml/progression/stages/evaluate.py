"""Stage `evaluate`: every way to forecast, baselines and ceilings in one table; measured by readouts fitted to other subjects."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.courses.fit import anchored, course_of
from sciml.progression.forecasting.forecast import Forecaster
from sciml.progression.forecasting.pair_predictions import Pair, pairs_of, reconstructions
from sciml.progression.forecasting.prediction import DECODED_AT_ONCE
from sciml.progression.networks.model_files import ForecastModel, load_model
from sciml.progression.settings.models import EvaluateConfig, VariantConfig
from sciml.progression.study.baselines import (
    choose_filter,
    filtered,
    fit_population_field,
    prescribed_forecast,
    true_motion_forecast,
    volume_ratios,
)
from sciml.progression.study.evaluation import Method, Truth, averaging, chain_coverage, evaluate, lowest_frequencies
from sciml.progression.study.flow_rows import flow_forecasts
from sciml.progression.study.readout import ChangeReadout, calibration_pairs, change_features, fit_readout, neighbourhoods
from sciml.progression.study.results import MOVED_IMAGES, Diagnosis, Kind, LatentScores, Metrics, YearlyScores
from sciml.progression.study.scores import brain_psnr
from sciml.progression.study.trajectories import forecast_trajectories
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import load_tensors, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds

log = logging.getLogger(__name__)
REFERENCE = "no_change"
LATENT_EDGES = np.linspace(-6, 6, 49)


def run(
    config: EvaluateConfig,
    cohort: Path,
    calibration: Path,
    model: Path,
    predictions: Path,
    output: Path,
    device: str = "cpu",
    flow: Path | None = None,
) -> list[Path]:
    """Write `metrics.json`, and `changes.safetensors` with predicted and true changes of every pair and year by year.

    It holds the images of the forecasts by motion too, where there are any.

    Args:
        config: split, baselines.
        cohort: folder of the study's subjects.
        calibration: folder of subjects whose regions change independently, for the readouts.
        model: model file whose autoencoder and courses are used.
        predictions: folder of `predict`, of the same split.
        output: output folder.
        device: `cpu` or `cuda`.
        flow: model of `fit-motion`, whose forecasts are compared too.

    Raises:
        ConfigError: the predictions are of other pairs.
    """
    inputs = [cohort / "visits.csv", calibration / "visits.csv", model, predictions]
    recorder = Recorder("progression.evaluate", config.model_dump(mode="json"), [*inputs, *([flow] if flow else [])])
    people, other = Cohort(cohort), Cohort(calibration)
    loaded = load_model(model).to(device)
    pairs = pairs_of(people, config.split)[:: config.every]
    truth = truth_of(people, pairs)
    readouts = fit_readouts(other, loaded, device)
    log.info("readouts fitted to %d subjects", len(other.subjects("calibration")))
    found = {path.stem: _forecasts(path) for path in sorted(predictions.glob("*.safetensors"))}
    if wrong := [name for name, (arrays, _) in found.items() if len(arrays["images"]) != len(pairs)]:
        raise ConfigError(f"{predictions}/{wrong[0]} is of other pairs than {config.split}; predict again")
    sources = Sources(people, loaded, pairs, readouts, device)
    methods = [*sources.baselines(config), *sources.courses(), *sources.ceilings()]
    methods += [sources.method(name, arrays, variant) for name, (arrays, variant) in found.items() if name != "zero_gap"]
    random = np.random.default_rng(Seeds(config.seed)("evaluate", "bootstrap"))
    optional: dict[str, Any] = {}
    if flow and config.flow_samples and people.has("labels"):
        moved, optional["flow"] = flow_forecasts(people, pairs, truth, flow, config.course, config.flow_samples, random)
        methods += [sources.of_scans(name, "model" if name == "flow" else "ablation", one) for name, one in moved.items()]
    metrics = Metrics(
        methods=evaluate(methods, truth, REFERENCE, random),
        averaging={
            name: averaging(arrays["counts"], arrays["latent_errors"], arrays["spread_errors"])
            for name, (arrays, _) in found.items()
        },
        readout_floor={kind: dict(readout.floor) for kind, readout in readouts.items()},
        filter=sources.filter_scores,
        autoencoder=sources.codes(),
        pairs=len(pairs),
        people=len(set(truth.subjects)),
    )
    for name, (arrays, variant) in found.items():
        if "chain_images" in arrays:
            chains = np.stack([sources.decoded_changes(images, variant) for images in arrays["chain_images"]])
            optional.setdefault("calibration", {})[name] = chain_coverage(chains, truth)
        if variant.zero_gap:
            still = sources.decoded_changes(arrays["images"], variant)
            optional["zero_gap_points"] = dict(zip(REGIONS, (100 * np.abs(still)).mean(axis=0).tolist(), strict=True))
    arrays = {method.name: method.changes for method in methods} | {"truth": truth.changes, "gap_years": truth.gaps}
    if config.trajectory_people and "main" in found and sources.places is not None:
        forecaster = Forecaster(loaded, found["main"][1].how, device)
        yearly = forecast_trajectories(
            forecaster, people, config.split, config.trajectory_people, config.trajectory_years,
            readouts["decoded"], config.seed,
        )  # fmt: skip
        diagnoses: list[Diagnosis] = [visit.diagnosis for visit in yearly.people]
        optional["trajectories"] = YearlyScores(years=yearly.years.tolist(), diagnoses=diagnoses, regions=yearly.scores())
        arrays |= {"trajectories": yearly.read, "trajectories_told": yearly.told}
    moved = next((method.images for method in methods if method.name == "flow"), None)
    if moved is not None:
        arrays[MOVED_IMAGES] = moved.astype(np.float16)
    written = [output / "metrics.json", output / "changes.safetensors"]
    write_result(written[0], metrics.model_copy(update=optional))
    save_tensors(written[1], arrays, {"regions": list(REGIONS), "subjects": list(truth.subjects)})
    recorder.seeds = {"bootstrap": Seeds(config.seed)("evaluate", "bootstrap")}
    recorder.write(output / "provenance.json", written)
    return [*written, output / "provenance.json"]


def _forecasts(path: Path) -> tuple[dict[str, np.ndarray], VariantConfig]:
    """Return the arrays of a file of `predict`, and how they were made."""
    arrays, about = load_tensors(path)
    return arrays, VariantConfig.model_validate(about["variant"])


def truth_of(cohort: Cohort, pairs: Sequence[Pair]) -> Truth:
    """Return what the pairs' forecasts are compared with."""
    followups = [pair.followup for pair in pairs]
    return Truth(
        pairs,
        np.stack([cohort.truth(visit)[0] for visit in followups]),
        np.stack([cohort.image(visit)[0] for visit in followups]),
        np.stack([cohort.mask(visit)[0] for visit in followups]),
        cohort.volumes(pair.start for pair in pairs),
        cohort.volumes(followups),
    )


def fit_readouts(cohort: Cohort, model: ForecastModel, device: str) -> dict[str, ChangeReadout]:
    """Return the readouts of scans and of decoded images, fitted to the calibration subjects."""
    pairs = calibration_pairs(cohort)
    first, later = ([pair[side] for pair in pairs] for side in (0, 1))
    places = neighbourhoods(cohort, first)
    scans = change_features(places, cohort.images(first), cohort.images(later))
    decoded = change_features(places, *(reconstructions(model, cohort, visits, device).numpy() for visits in (first, later)))
    return {"scans": fit_readout(pairs, scans), "decoded": fit_readout(pairs, decoded)}


class Sources:
    """Forecasts of all pairs by each method.

    Args:
        cohort: the study's subjects.
        model: whose autoencoder and courses are used.
        pairs: questions.
        readouts: of scans and of decoded images.
        device: of the networks.
    """

    def __init__(
        self, cohort: Cohort, model: ForecastModel, pairs: Sequence[Pair], readouts: Mapping[str, ChangeReadout], device: str
    ) -> None:
        self.cohort, self.model, self.pairs, self.readouts, self.device = cohort, model, pairs, readouts, device
        self.start = cohort.images(pair.start for pair in pairs)
        # a cohort of one's own may lack labels
        self.places = neighbourhoods(cohort, [pair.start for pair in pairs]) if cohort.has("labels") else None
        self.filter_scores: dict[str, float] = {}
        self._decoded: dict[str, np.ndarray] = {}

    def method(self, name: str, arrays: Mapping[str, np.ndarray], variant: VariantConfig) -> Method:
        """Return a variant of the model as a method."""
        kind = "model" if name in ("main", "official") else "ablation"
        return Method(name, kind, self.decoded_changes(arrays["images"], variant), arrays["images"])

    def decoded_changes(self, images: np.ndarray, variant: VariantConfig) -> np.ndarray:
        """Return the changes read from decoded images, (pairs, regions).

        By residual decoding the image differs from A by what the decoder gives for two latents, directly decoded from D(E(x_A)):
        either difference is one of decoded images.
        """
        before = self.start if variant.how.decoding == "residual" else self.decoded("start")
        return self._read("decoded", before, images[:, None].astype(np.float32))

    def _read(self, kind: str, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return the changes between images (pairs, 1, *grid), (pairs, regions); NaN without labels."""
        if self.places is None:
            return np.full((len(self.pairs), len(REGIONS)), np.nan)
        return self.readouts[kind].change(self.places, before, after)

    def decoded(self, which: str) -> np.ndarray:
        """Return D(E(x)) of the starts or the follow-ups, (pairs, 1, *grid)."""
        if which not in self._decoded:
            visits = [pair.start if which == "start" else pair.followup for pair in self.pairs]
            self._decoded[which] = reconstructions(self.model, self.cohort, visits, self.device).numpy()
        return self._decoded[which]

    def baselines(self, config: EvaluateConfig) -> list[Method]:
        """Return what needs no network: no change, as it is and denoised, the population's field, prescribed volumes."""
        nothing = np.zeros((len(self.pairs), len(REGIONS)))
        name, self.filter_scores = choose_filter(self.cohort)
        found = [
            Method(REFERENCE, "baseline", nothing, self.start[:, 0]),
            Method("no_change_denoised", "baseline", nothing, filtered(self.start, name)[:, 0]),
            Method("autoencoder_only", "baseline", nothing, self.decoded("start")[:, 0]),
        ]
        # both flows need labels
        if config.population_field and self.places is not None:
            field = fit_population_field(self.cohort)
            moved = [
                field.forecast(image[0], self.cohort.mask(pair.start)[0], pair.start.diagnosis, pair.gap_years)
                for image, pair in zip(self.start, self.pairs, strict=True)
            ]
            found.append(self.of_scans("population_field", "baseline", np.stack(moved)))
        if config.prescribed and self.places is not None:
            course = self.model.course(config.course)
            moved = [self._prescribed(course, image[0], pair) for image, pair in zip(self.start, self.pairs, strict=True)]
            found.append(self.of_scans("prescribed_volumes", "baseline", np.stack(moved)))
        return found

    def _prescribed(self, course: Any, image: np.ndarray, pair: Pair) -> np.ndarray:
        expected = anchored(course, course_of(pair.history), [pair.followup.age_years])[0]
        labels, mask = self.cohort.labels(pair.start), self.cohort.mask(pair.start)[0]
        return prescribed_forecast(image, labels, mask, volume_ratios(expected, pair.start))

    def courses(self) -> list[Method]:
        """Return the course models, which forecast volumes alone."""
        found = []
        kinds = [kind for kind in self.model.courses if kind != "no_change"]
        if {"huber", "logistic_mixed"} <= set(kinds):
            kinds.append("by_visits")
        for kind in kinds:
            course = self.model.course(kind)
            volumes = np.stack([anchored(course, course_of(p.history), [p.followup.age_years])[0] for p in self.pairs])
            starts = np.stack([np.asarray(pair.start.volumes_ml) for pair in self.pairs])
            found.append(Method(f"course_{kind}", "baseline", np.log(volumes / starts)))
        return found

    def codes(self) -> LatentScores:
        """Return the PSNR in the brain of D(E(x)) of the follow-ups, and of as many cosine coefficients as z has numbers.

        And how the standardised latents are spread, by channel.
        """
        count = int(np.prod(self.model.autoencoder.latent_shape(self.cohort.grid.shape)))
        rows = []
        for pair, decoded in zip(self.pairs, self.decoded("followup"), strict=True):
            image, mask = self.cohort.image(pair.followup)[0], self.cohort.mask(pair.followup)[0]
            rows.append([brain_psnr(some, image, mask) for some in (decoded[0], lowest_frequencies(image, count))])
        ours, cosines = np.mean(rows, axis=0).tolist()
        scans = torch.from_numpy(self.cohort.images(pair.followup for pair in self.pairs))
        encoder = self.model.autoencoder
        latents = torch.cat([encoder.latent(part.to(self.device)).cpu() for part in scans.split(DECODED_AT_ONCE)])
        densities = [np.histogram(channel, LATENT_EDGES, density=True)[0].tolist() for channel in latents.numpy().swapaxes(0, 1)]
        return LatentScores(
            psnr_db=ours,
            cosines_psnr_db=cosines,
            numbers=count,
            latent_sd=encoder.latent_sd.flatten().tolist(),
            latent_middles=(0.5 * (LATENT_EDGES[1:] + LATENT_EDGES[:-1])).tolist(),
            latent_densities=densities,
        )

    def ceilings(self) -> list[Method]:
        """Return what the true follow-up gives: as a scan, decoded, and the scan at A with the decoded true change."""
        scans = self.cohort.images(pair.followup for pair in self.pairs)
        before, after = self.decoded("start"), self.decoded("followup")
        change = self._read("decoded", before, after)
        # one motion for all that move A: what they could reach
        moved = [true_motion_forecast(self.cohort, pair.start, pair.followup) for pair in self.pairs if self.cohort.has("shift")]
        motion = [self.of_scans("true_motion", "ceiling", np.stack(moved))] if moved else []
        return [
            *motion,
            self.of_scans("scan_itself", "ceiling", scans[:, 0]),
            Method("decoded_truth", "ceiling", change, after[:, 0]),
            Method("decoded_true_change", "ceiling", change, (self.start + after - before).clip(0)[:, 0]),
        ]

    def of_scans(self, name: str, kind: Kind, images: np.ndarray) -> Method:
        """Return what is made of scans as a method, its changes read by their readout."""
        changes = self._read("scans", self.start, images[:, None].astype(np.float32))
        return Method(name, kind, changes, images)
