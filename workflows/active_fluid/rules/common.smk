# Names in paths, and where the package keeps its weights.
CLOSURES = sorted(SETTINGS.active_fluid.closures)
SEEDS = range(SETTINGS.active_fluid.seeds)
PACKAGE_WEIGHTS = packaged("active_fluid", "weights")
# the closure of the package, beside those that the run trains
SHIPPED = f"{PACKAGE_WEIGHTS}/default.safetensors"


def chosen_weights():
    """Return the weights that long runs, inference and timings use: the package's, or this run's own."""
    if SETTINGS.active_fluid.weights == "shipped":
        return SHIPPED
    return f"<results>/train/{SETTINGS.active_fluid.chosen}/0.safetensors"


def named_weights(wildcards, input):
    """Return the option of every weight file that is evaluated, with its closure's name."""
    trained = (
        f"--weights {os.path.basename(os.path.dirname(path))}={path}"
        for path in input.weights
    )
    shipped = [f"--weights shipped={path}" for path in input.shipped]
    return " ".join([*trained, *shipped])
