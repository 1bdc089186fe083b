# Names in paths, and which pairs belong to a set.
SETS = SETTINGS.deblurring.sets
PHOTOGRAPHS = {name: SETTINGS.deblurring.photographs(SETTINGS, name) for name in SETS}
# a prior such as lpn:photo-deblur, without what a path cannot hold
PRIORS = {name.replace(":", "-"): name for name in SETTINGS.deblurring.priors}


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
