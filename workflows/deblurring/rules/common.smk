# Names in paths, and which pairs belong to a set.
from sciml.deblurring.config import DECIDING
from sciml.deblurring.settings.grid import folder_name
from sciml.deblurring.settings.structures import ABLATIONS
from sciml.imaging.plugins import prior_sources

SETS = sorted(SETTINGS.deblurring.sets)
PHOTOGRAPHS = {name: SETTINGS.deblurring.photographs(SETTINGS, name) for name in SETS}
PRIORS = {folder_name(name): name for name in sorted(SETTINGS.deblurring.priors)}
PAIRS = "<results>/{set}/simulate/pairs.safetensors"
PHOTOGRAPH = "--photograph {wildcards.photo:q}"
# of every prior's plugin: its module, which a job loads by name, and its weight files; solvers of the family itself have none
PLUGINS = [prior_sources(name) for name in PRIORS.values() if ":" in name]
PRIOR_MODULES = sorted({module for module, _ in PLUGINS})
PRIOR_FILES = sorted({os.path.relpath(path) for _, files in PLUGINS for path in files})


def fitted(settings):
    """Return the photographs whose pairs untrained networks are fitted to."""
    pairs = [
        *settings.pairs,
        *(pair for cell in settings.cells.values() for pair in cell.pairs or ()),
    ]
    return sorted({pair.split(" ")[0] for pair in pairs})


def every(path, *names):
    """Return a path, or each of several, for each photograph of these sets."""
    return [
        one for name in names for one in expand(path, set=name, photo=PHOTOGRAPHS[name])
    ]
