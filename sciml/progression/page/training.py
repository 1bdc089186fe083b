"""The trainings on the page: what the autoencoder keeps, losses, and what samples of the diffusion models are worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.cohorts.regions import TITLES as REGION_TITLES
from sciml.progression.page.results import OFFICIAL, Forecasts, Training, cells, settings_of
from sciml.progression.settings.models import TrainAutoencoderConfig
from sciml.report.reportlets import Column, Curve, Reportlet, Table

NOISE = {"little_noise": "little noise", "middle_noise": "middle", "much_noise": "much noise"}
QUALITY = {"validation_psnr_db": "whole volume", "validation_brain_psnr_db": "in the brain"}
# column of the history, the weight among the settings, words
TERMS = (
    ("l1", "l1_weight", "absolute error"),
    ("mse", "squared_weight", "squared error"),
    ("kl", "kl_weight", "divergence"),
    ("gradient", "gradient_weight", "error of the gradients"),
    ("adversarial", "adversarial_weight", "adversary"),
)


def autoencoder_table(found: Forecasts) -> Table:
    """Return what of the truth is left after the autoencoder: it bounds every forecast that is decoded."""
    rows = []
    for region in REGIONS:
        row: dict[str, Any] = {"region": REGION_TITLES[region]}
        for kind, name in (("scan", "scan_itself"), ("decoded", "decoded_truth")):
            score = found.change(name, region)
            row[f"{kind}_error"] = getattr(score, "mean_error_points", None)
            row |= cells(kind, score, "correlation", "slope")
        rows.append(row)
    columns = [Column("region", "region")]
    for kind, words in (("scan", "true scans"), ("decoded", "decoded")):
        columns += [
            Column(f"{kind}_error", f"{words}: error of the change", "points", None, 2),
            Column(f"{kind}_correlation", "correlation", "", None, 2), Column(f"{kind}_slope", "slope", "", None, 2),
        ]  # fmt: skip
    codes, image = found.metrics.autoencoder, found.methods["decoded_truth"].images.ssim
    similarity = "" if image is None else f", SSIM {image.mean:.3f} (sd {image.sd:.3f})"
    return Table(
        "What the autoencoder keeps",
        columns,
        rows,
        f"True follow-ups of test subjects, coded as {codes.numbers} numbers and decoded: PSNR in the brain "
        f"{codes.psnr_db:.2f} dB{similarity}. As many cosine "
        f"coefficients of lowest frequency give {codes.cosines_psnr_db:.2f} dB. Columns: the true change of each region, "
        "read off pairs of true scans and off pairs of decoded ones.",
        "A change that is lost here no forecast can show, since every forecast is decoded; the blur itself cancels where a "
        "decoded change is added to the scan. The bias of a volume is not measured: the readout reads changes.",
    )


def latent_curve(found: Forecasts) -> Curve:
    """Return how the numbers of the latent are spread, by channel: a sampler expects them near a normal law."""
    codes = found.metrics.autoencoder
    rows = [
        {"value": middle, "density": density, "of": f"channel {channel}"}
        for channel, densities in enumerate(codes.latent_densities, 1)
        for middle, density in zip(codes.latent_middles, densities, strict=True)
    ]
    normal = NormalDist()
    rows += [{"value": middle, "density": normal.pdf(middle), "of": "normal"} for middle in codes.latent_middles]
    scale = ", ".join(f"{sd:.3f}" for sd in codes.latent_sd)
    return Curve(
        "Latents: how their numbers are spread", rows, "value", "density", "of", "standardised latent", "density",
        f"Latents of the test subjects' follow-ups. They are divided by k, measured on the training subjects: {scale} by "
        "channel. The empty ground is coded too, which makes the peaks.",
        "densities of the standardised latent by channel, with the normal density",
    )  # fmt: skip


def training_reportlets(trainings: Sequence[Training], found: Forecasts | None) -> Iterator[Reportlet]:
    """Yield the curves of all trainings of this run, or a sentence."""
    if not trainings:
        return
    for training in trainings:
        if not training.name:
            yield from _autoencoder_curves(training)
    # ours first, and a ControlNet behind what it steers
    forms = [training for training in trainings if training.name]
    forms.sort(key=lambda training: (training.name == OFFICIAL, training.name, training.of_control))
    yield from _sample_curves(forms, found)
    for training in forms:
        yield from _loss_curve(training)


def _autoencoder_curves(training: Training) -> Iterator[Curve]:
    quality = [
        {"step": step, "psnr": round(value, 3), "of": words}
        for column, words in QUALITY.items()
        for step, value in training.series(column)
    ]
    if quality:
        yield Curve(
            "Training of the autoencoder: decoded scans", quality, "step", "psnr", "of", "step", "PSNR (dB)",
            "Scans of validation subjects, decoded, against themselves. The empty ground is easy, so the whole volume "
            "says little.",
            "PSNR in dB of decoded validation scans over training steps",
        )  # fmt: skip
    network = settings_of(TrainAutoencoderConfig, training.record.config).network
    terms = [
        {"step": step, "loss": weight * value, "of": words}
        for column, name, words in TERMS
        if (weight := getattr(network, name)) > 0
        for step, value in training.means(column)
    ]
    yield Curve(
        "Training of the autoencoder: terms of the loss", terms, "step", "loss", "of", "step", "weighted term of the loss",
        "Means over the steps since the point before.", "weighted terms of the loss over training steps", log_y=True,
    )  # fmt: skip


def _sample_curves(trainings: Sequence[Training], found: Forecasts | None) -> Iterator[Curve]:
    rows = [
        {"step": step, "error": value, "of": _title(training)}
        for training in trainings
        for step, value in training.series("validation_latent_mse")
    ]
    if not rows:
        return
    knows_nobody = (
        " Before its ControlNet the published form knows age, sex, diagnosis and volumes, and no anatomy."
        if any(training.name == OFFICIAL for training in trainings)
        else ""
    )
    still = max((training.series("validation_no_change_mse") for training in trainings), key=len)
    rows += [{"step": step, "error": value, "of": "no change"} for step, value in still]
    yield Curve(
        "Training of the diffusion models: what their samples are worth", rows, "step", "error", "of", "step",
        "squared error of a sampled latent",
        "One chain of 10 steps for validation subjects, first visit to last, given the true volumes, against the latent of the "
        f"last visit; below the line of no change a sample is worth more than the first scan.{knows_nobody}{_shipped(found)}",
        "squared error of sampled latents over training steps, with that of no change", log_y=True,
    )  # fmt: skip


def _loss_curve(training: Training) -> Iterator[Curve]:
    rows = [
        {"step": step, "loss": value, "of": words} for column, words in NOISE.items() for step, value in training.means(column)
    ]
    if rows:
        yield Curve(
            f"Training of the diffusion models: loss of the {_title(training)}", rows, "step", "loss", "of", "step", "loss",
            "By amount of noise, a third of the times each; 1 is about what a guess of zero costs. A small loss does not make "
            "good samples: where the noise is predicted, much noise makes the loss small and its errors large.",
            "loss over training steps by amount of noise", log_y=True,
        )  # fmt: skip


def _title(training: Training) -> str:
    word = f"{'published' if training.name == OFFICIAL else training.name} form"
    return f"ControlNet of the {word}" if training.of_control else word


def _shipped(found: Forecasts | None) -> str:
    """Return a sentence where forecasts come from the package's weights and not from the training that is shown."""
    shipped = found is not None and any(Path(path).parent.name == "weights" for path in found.record.inputs)
    return " Our forecasts on this page were made with shipped weights, not with those of this training." if shipped else ""
