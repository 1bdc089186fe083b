"""The stages of the study: settings and inputs of each."""

from __future__ import annotations

from sciml.progression.config import (
    PageConfig,
    PersonConfig,
    PrepareConfig,
    SimulateCohortsConfig,
)
from sciml.progression.settings.models import (
    AskConfig,
    EvaluateConfig,
    FitCourseConfig,
    FitMotionConfig,
    PredictConfig,
    TrainAutoencoderConfig,
    TrainControlConfig,
    TrainDiffusionConfig,
)
from sciml.stages import File, Named, Word, declare

COHORT = File("Folder of the cohort.")
CALIBRATION = File("Folder of the calibration cohort.")
AUTOENCODER = File("Weights of train-autoencoder.")
MODEL = File("Model file.")
RESULTS = File("Folder of the study's results.")

STAGES = {
    "simulate_cohorts": declare("Simulate every cohort of the study.", SimulateCohortsConfig, workers=True),
    "prepare": declare(
        "Make a cohort of a user's own images.", PrepareConfig, table=File("CSV file of images, or a BIDS folder.")
    ),
    "train_autoencoder": declare(
        "Learn the latent space, and measure its scale; a stopped training goes on.",
        TrainAutoencoderConfig,
        gpu=True,
        cohort=COHORT,
    ),
    "train_diffusion": declare(
        "Learn the diffusion model of one form; a stopped training goes on.",
        TrainDiffusionConfig,
        gpu=True,
        cohort=COHORT,
        autoencoder=AUTOENCODER,
    ),
    "train_controlnet": declare(
        "Learn how a start steers a diffusion model that stays as it is; a stopped training goes on.",
        TrainControlConfig,
        gpu=True,
        cohort=COHORT,
        autoencoder=AUTOENCODER,
        diffusion=File("Weights of train-diffusion."),
    ),
    "fit_course": declare(
        "Fit the models of how regional volumes change; on tables, test their intervals.", FitCourseConfig, cohort=COHORT
    ),
    "fit_motion": declare(
        "Learn how the motion beside the volumes goes on.", FitMotionConfig, cohort=COHORT, course=File("Models of fit-course.")
    ),
    "assemble": declare(
        "Join the parts of each model to one file.",
        None,
        autoencoder=AUTOENCODER,
        denoiser=Named("FORM=weights of train-diffusion, or of train-controlnet for a form that has one."),
        course=File("Models of fit-course."),
    ),
    "predict": declare(
        "Forecast all pairs of a split in every way that is compared; finished ways are kept.",
        PredictConfig,
        gpu=True,
        cohort=COHORT,
        model=Named("FORM=FILE of a model."),
    ),
    "evaluate": declare(
        "Compare every way to forecast with baselines and ceilings.",
        EvaluateConfig,
        gpu=True,
        cohort=COHORT,
        calibration=CALIBRATION,
        model=File("Model file whose autoencoder and courses are used."),
        predictions=File("Folder of `predict`."),
        flow=File("Model of `fit-motion`, whose forecasts are compared too.", required=False),
    ),
    "person": declare(
        "Forecast the brain of a real man, Colin27, as if he were old.",
        PersonConfig,
        gpu=True,
        calibration=CALIBRATION,
        model=MODEL,
    ),
    "forecast": declare(
        "Forecast subjects of a cohort at later ages; finished ones are kept.",
        AskConfig,
        gpu=True,
        cohort=COHORT,
        model=Word("Name of a shipped model, or a model file."),
        scan=File("Last scan of the one subject, as it was before it was prepared.", required=False),
    ),
    "publish": declare(
        "Copy a model into the package, with its card.",
        None,
        weights=MODEL,
        metrics=File("metrics.json of its evaluation."),
        name=Word("By which it is loaded."),
    ),
    "ablate_report": declare("Write the page of the forms that differ in one switch.", PageConfig, page=True, results=RESULTS),
    "report": declare("Write the page of the study.", PageConfig, page=True, results=RESULTS),
}
