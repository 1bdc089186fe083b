# Names in paths, and which pairs belong to a set.
from sciml.imaging.plugins import prior_sources

SETS = SETTINGS.deblurring.sets
PHOTOGRAPHS = {name: SETTINGS.deblurring.photographs(SETTINGS, name) for name in SETS}
# a prior such as lpn:photo-deblur, without what a path cannot hold
PRIORS = {name.replace(":", "-"): name for name in SETTINGS.deblurring.priors}


def sources_of(names):
    """Return the modules and the weight files behind the priors of some names; solvers of the family itself have none."""
    found = [prior_sources(name) for name in names if ":" in name]
    return sorted({module for module, _ in found}), sorted(
        {os.path.relpath(path) for _, files in found for path in files}
    )


def declared_with(stage, names):
    """Return a params function as `declared` does, with the modules behind the priors that a stage makes by name."""
    return lambda wildcards: declaration([stage, *sources_of(names(wildcards))[0]])


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


def repeated(option, paths):
    """Return an option once for each path."""
    return " ".join(f"{option} {path}" for path in paths)
