# Names in paths, and which model is compared.
from sciml.compression.config import MAIN
from sciml.compression.settings.models import RUNS as SIMULATED

DOMAINS = sorted(SETTINGS.compression.domains)
NETWORKS = sorted(SETTINGS.compression.networks)
NEURAL = sorted(SETTINGS.compression.neural)
STRUCTURES = sorted(SETTINGS.compression.vectors)
PICTURES = [
    name for name in DOMAINS if SETTINGS.compression.domains[name].kind == "pictures"
]
VOLUMES_AND_FIELDS = [name for name in DOMAINS if name not in PICTURES]
# what is looked at of a domain: caption, folder and arrays
LOOKS = {
    name: (
        ("inspect", "inspect", "maps")
        if name in PICTURES
        else ("volumes_and_fields", "apart", "apart")
    )
    for name in DOMAINS
}
# domains whose fields come from runs of this study, and the runs that any stage reads
FLOWS = [
    name
    for name in VOLUMES_AND_FIELDS
    if SETTINGS.compression.domains[name].experiment == SIMULATED
]
ROLES = ["train", "test", *(["validation"] if set(FLOWS) & set(NETWORKS) else [])]
RUNS = {
    f"<results>/runs/{role}/{run.name}.zarr": run
    for role in ROLES
    for run in SETTINGS.compression.simulations.runs.get(role, ())
    if FLOWS
}
PACKAGE_MODELS = packaged("compression", "weights")
# one call for each model of a domain
PUBLISH = (
    "for weights in {input.weights:q} {input.neural:q}; do "
    f"{CALL} --weights $weights --bench {{input.bench:q}} {{params.curves}} --output {{params.package:q}} || exit 1; "
    f"done {LOG}"
)


def runs_of(*roles):
    """Return an input function: the simulated runs of some roles, where a domain's fields come from them."""
    return lambda wildcards: stores(*roles) if wildcards.domain in FLOWS else []


def stores(*roles):
    """Return the simulated runs of some roles."""
    return [path for path in RUNS if path.split("/")[-2] in roles]


def simulations(wildcards, output):
    """Return the calls of the function `simulate`, one for each run."""
    every = SETTINGS.compression.simulations
    return " && ".join(
        f"simulate --alpha {run.alpha} --zeta {run.zeta} --seed {run.seed} --points {every.points} --length {every.length} "
        f"--until {every.until} --save-every {every.save_every} --time-step {every.time_step} --out {quote(store)}"
        for store, run in zip(output.stores, RUNS.values())
    )


def runs_option(wildcards, input):
    """Return the option that names the folder of the runs, or nothing."""
    return f"--runs {above('runs', 2)(wildcards, input)}" if input.runs else ""


def compared_model(domain):
    """Return the model file of a domain that is compared: the package's, or this run's own."""
    if SETTINGS.compression.weights == "shipped":
        return f"{PACKAGE_MODELS}/{domain}.safetensors"
    return trained_model(domain)


def trained_model(domain):
    """Return the model file that this run makes of a domain."""
    return f"<results>/{domain}/{'train' if domain in NETWORKS else 'fit'}/model.safetensors"


def trained_neural_of(wildcards):
    """Return the neural model that this run makes of a domain, or none."""
    made = [f"<results>/{wildcards.domain}/neural/model.safetensors"]
    return made if wildcards.domain in NEURAL else []


def neural_of(wildcards):
    """Return the neural model of a domain that is compared; none where there is none, or none came with the package."""
    return neural_models(wildcards.domain)


def neural_models(domain):
    """Return the neural model of a domain by its name, as `neural_of`."""
    if domain not in NEURAL:
        return []
    if SETTINGS.compression.weights == "trained":
        return [f"<results>/{domain}/neural/model.safetensors"]
    shipped = f"{PACKAGE_MODELS}/neural.safetensors"
    return [shipped] if os.path.isfile(shipped) else []


def judged():
    """Return the curves of the crops that judge: of photographs in colour, where the data hold such crops.

    With the package's models they are what was measured when those were made.
    """
    domain = SETTINGS.compression.domains.get(MAIN)
    fits = domain is not None and domain.kind == "pictures" and domain.channels == 3
    measured = SETTINGS.compression.weights == "trained" or shipped_curves()
    there = fits and measured and SETTINGS.data_tier != "pip"
    return [f"<results>/{MAIN}/judge/curves.json"] if there else []


def shipped_curves():
    """Return what was measured when the package's model of photographs was made, if it came with it."""
    path = f"{PACKAGE_MODELS}/{MAIN}.curves.json"
    return [path] if os.path.isfile(path) else []


def lossless_model(wildcards):
    """Return the model without loss that is compared: the package's, or this run's own."""
    if SETTINGS.compression.weights == "shipped":
        return f"{PACKAGE_MODELS}/lossless.safetensors"
    return "<results>/lossless/fit/model.safetensors"


PHOTO = f"{PACKAGE_MODELS}/photo.safetensors"


def photo_of(wildcards):
    """Return the package's model of photographs where slices or fields are compared with it too."""
    return [PHOTO] if wildcards.domain in VOLUMES_AND_FIELDS else []


def trainings(wildcards):
    """Return the histories of the networks that the page shows: none where the package's models are compared."""
    if SETTINGS.compression.weights == "shipped":
        return []
    return expand(rules.train_network.output.history, domain=NETWORKS)


def vector_comparison(wildcards):
    """Return the comparison of vectors with scalar symbols, if there is one."""
    return rules.compare_vectors.output.bench if STRUCTURES else []
