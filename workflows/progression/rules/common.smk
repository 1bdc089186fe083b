from sciml.progression.settings import models

# Names in paths. Folders of subjects are ancient inputs: Snakemake knows only the time of a folder, which a copy of the tree changes; the
# header and the table beside it, compared by content, change with every subject.
COHORTS = sorted(SETTINGS.progression.cohorts)
FORMS = sorted(SETTINGS.progression.learning.forms)
MAIN_FORM = SETTINGS.progression.learning.variants["main"].form
VARIANTS = sorted(SETTINGS.progression.predict_config(SETTINGS).variants)

# the smaller data tiers have no real brain
HAS_PERSON = SETTINGS.data_tier in ("default", "full")

ABLATIONS = sorted(models.ABLATIONS.forms)
PACKAGE_MODELS = packaged("progression", "weights")
# the people of the study, and those that calibrate its measurements
COHORT = {
    "header": "<results>/cohort/cohort.json",
    "table": "<results>/cohort/visits.csv",
    "subjects": ancient("<results>/cohort/subjects"),
}
CALIBRATION = {
    "calibration": "<results>/calibration/cohort.json",
    "calibrators": ancient("<results>/calibration/subjects"),
}

# volumes without images
TABLES = {
    "header": "<results>/tables/cohort.json",
    "table": "<results>/tables/visits.csv",
}


def by_form(option, forms, name):
    """Return a params function: an option for every file of an input, with its form's name."""
    return lambda wildcards, input: [
        f"--{option} {form}={path}" for form, path in zip(forms, files_of(input, name))
    ]


def model_of(form):
    """Return the model file that a form's forecasts are made with."""
    learning = SETTINGS.progression.learning
    if learning.weights == "shipped" and form == MAIN_FORM:
        return f"{PACKAGE_MODELS}/{models.SHIPPED_MODEL}.safetensors"
    return f"<results>/models/{form}.safetensors"


def is_made(path):
    """Say whether a model is made by this run."""
    return path.startswith("<results>")


def flow_model():
    """Return the model file of forecasts by motion."""
    learning = SETTINGS.progression.learning
    if learning.weights == "shipped":
        return f"{PACKAGE_MODELS}/{models.SHIPPED_MOTION}.safetensors"
    return "<results>/motion/flow.safetensors"


def denoiser_of(name):
    """Return the complete denoiser of a form: of its ControlNet's training where it has one."""
    learning = SETTINGS.progression.learning
    ablated = models.ABLATIONS.forms.get(name)
    form = ablated or learning.forms[name].form
    part = "controlnet" if form.anatomy == "controlnet" else "diffusion"
    return f"<results>/{part}/{name}/{name}.safetensors"


def ablated(wildcards):
    """Return the digest of the ablations' table, no input since no study asks for it: the page shows it where it lies."""
    metrics = f"results/{SETTINGS.folder}/progression/ablate/metrics.json"
    return digest_file(metrics) if os.path.isfile(metrics) else None
