# Where the weights of a network come from, and which networks have certificates.
PACKAGE_WEIGHTS = packaged("proximal", "weights")
TASKS = sorted(SETTINGS.proximal.studies)
MODELS = sorted(SETTINGS.proximal.models)
ABLATIONS = sorted(SETTINGS.proximal.ablations)


def weights_of(name):
    """Return the weight file of a network: this run's where it trains it, else the package's."""
    if name in SETTINGS.proximal.models:
        return f"<results>/train/{name}/{name}.safetensors"
    return f"{PACKAGE_WEIGHTS}/{name}.safetensors"


def start_of(wildcards):
    """Return the weights that a network goes on from, or nothing."""
    known = {**SETTINGS.proximal.models, **SETTINGS.proximal.ablations}
    first = known[wildcards.model].start_from
    return weights_of(first) if first else []


def compared_weights_of(wildcards):
    """Return the weights of the networks that are compared on a task."""
    return [weights_of(name) for name in SETTINGS.proximal.networks[wildcards.task]]


# all networks that this run compares, each once, whose sizes the page shows; peers have no certificates
COMPARED = sorted(
    {name for names in SETTINGS.proximal.networks.values() for name in names}
)
# networks that ablations go on from
BEGUN = {model.start_from for model in SETTINGS.proximal.ablations.values()} - {None}
CERTIFIED = [name for name in COMPARED if not name.startswith("peer-")]
