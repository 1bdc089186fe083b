# Names in paths, and which pairs belong to a set.
from sciml.imaging.plugins import prior_sources

SETS = SETTINGS.deblurring.sets
PHOTOGRAPHS = {name: SETTINGS.deblurring.photographs(SETTINGS, name) for name in SETS}
# a prior such as lpn:photo-deblur, without what a path cannot hold
PRIORS = {name.replace(":", "-"): name for name in SETTINGS.deblurring.priors}


def prior_of(wildcards):
    """Return the name of a prior in the settings."""
    return PRIORS[wildcards.prior]


def modules_of(names):
    """Return the modules behind the priors of some names; solvers of the family itself have none."""
    return sorted({prior_sources(name)[0] for name in names if ":" in name})


def files_behind(names):
    """Return the weight files behind the priors of some names."""
    found = [path for name in names if ":" in name for path in prior_sources(name)[1]]
    return sorted({os.path.relpath(path) for path in found})


def fitted(settings):
    """Return the photographs whose pairs untrained networks are fitted to."""
    pairs = [
        *settings.pairs,
        *(pair for cell in settings.cells.values() for pair in cell.pairs or ()),
    ]
    return sorted({pair.split(" ")[0] for pair in pairs})


def each_photograph(path, name):
    """Return a path for each photograph of a set."""
    return expand(path, set=name, photo=PHOTOGRAPHS[name])
