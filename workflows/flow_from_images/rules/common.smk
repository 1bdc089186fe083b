# The combinations of the settings, and what their links load by name.
from sciml.imaging.plugins import prior_sources
from sciml.studies.flow_from_images.config import PRIOR, TRUE_FRAMES

STUDY = SETTINGS.flow_from_images
COMBINATIONS = {name: tuple(name.split("/")) for name in STUDY.run_combinations}
ARCHIVES = sorted({archive for archive, _ in COMBINATIONS.values()})
OWN_FRAMES = [] if STUDY.frames is None else [str(STUDY.frames.path)]
PRIOR_MODULE, PRIOR_FILES = prior_sources(PRIOR)


def prior_files(wildcards):
    """Return the weights of the learned prior, for the sharpening that uses it."""
    return (
        [os.path.relpath(path) for path in PRIOR_FILES]
        if wildcards.sharpening == "lpn"
        else []
    )


def prior_modules(wildcards):
    """Return the module of the learned prior, for the sharpening that uses it."""
    return [PRIOR_MODULE] if wildcards.sharpening == "lpn" else []


def of_combinations(file):
    """Return a file of every combination."""
    return [f"<results>/{name}/{file}" for name in COMBINATIONS]
