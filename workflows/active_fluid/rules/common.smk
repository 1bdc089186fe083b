# Names in paths, and where the package keeps its weights.
from sciml.active_fluid.closures.plugins import closure_modules

CLOSURES = sorted(SETTINGS.active_fluid.closures)
SEEDS = range(SETTINGS.active_fluid.seeds)
PACKAGE_WEIGHTS = packaged("active_fluid", "weights")
# the closure of the package, beside those that the run trains
SHIPPED = f"{PACKAGE_WEIGHTS}/default.safetensors"
SHIPPED_SECOND = f"{PACKAGE_WEIGHTS}/second.safetensors"
# the closure of second order that this run trains
SECOND = next(
    (name for name in CLOSURES if SETTINGS.active_fluid.closures[name].kept == 2), None
)


def own_modules(wildcards):
    """Return the modules of the closures of a user's own, which jobs load by name."""
    return closure_modules(one.entry for one in SETTINGS.active_fluid.closures.values())


def chosen_weights():
    """Return the weights that long runs, inference and timings use: the package's, or this run's own."""
    if SETTINGS.active_fluid.weights == "shipped":
        return SHIPPED
    return f"<results>/train/{SETTINGS.active_fluid.chosen}/0.safetensors"


def second_weights():
    """Return the weights of second order that long runs use: the package's, or this run's own where it trains any."""
    if SETTINGS.active_fluid.weights == "shipped" or SECOND is None:
        return SHIPPED_SECOND
    return f"<results>/train/{SECOND}/0.safetensors"


def named_weights(wildcards, input):
    """Return the option of every weight file that is evaluated, with its closure's name."""
    trained = (
        f"--weights {os.path.basename(os.path.dirname(path))}={path}"
        for path in input.weights
    )
    shipped = [f"--weights shipped={path}" for path in input.shipped]
    return " ".join([*trained, *shipped])
