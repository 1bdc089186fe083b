# Names in paths, and which pairs belong to a set.
from sciml.imaging.plugins import prior_sources

SETS = SETTINGS.deblurring.sets
PHOTOGRAPHS = {name: SETTINGS.deblurring.photographs(SETTINGS, name) for name in SETS}
# a prior such as lpn:photo-deblur, without what a path cannot hold
PRIORS = {name.replace(":", "-"): name for name in SETTINGS.deblurring.priors}
PHOTOGRAPH = "--photograph {wildcards.photo:q}"


def prior_of(wildcards):
    """Return the name of a prior in the settings."""
    return PRIORS[wildcards.prior]


def sources_behind(names):
    """Return module and weight files of the plugin behind each prior; solvers of the family itself have none."""
    return [prior_sources(name) for name in names if ":" in name]


def module_behind(wildcards):
    """Return the module behind a prior, if there is one."""
    return [module for module, _ in sources_behind([prior_of(wildcards)])]


def modules_behind(wildcards):
    """Return the modules behind all priors."""
    return sorted({module for module, _ in sources_behind(PRIORS.values())})


def files_behind(*names):
    """Return the weight files behind priors."""
    found = [path for _, files in sources_behind(names) for path in files]
    return sorted({os.path.relpath(path) for path in found})


def fitted(settings):
    """Return the photographs whose pairs untrained networks are fitted to."""
    pairs = [
        *settings.pairs,
        *(pair for cell in settings.cells.values() for pair in cell.pairs or ()),
    ]
    return sorted({pair.split(" ")[0] for pair in pairs})


def every(path, name=None):
    """Return a path for each photograph of a set; without its name an input function, for the set of the wildcards."""
    if name is None:
        return lambda wildcards: every(path, wildcards.set)
    return expand(path, set=name, photo=PHOTOGRAPHS[name])
