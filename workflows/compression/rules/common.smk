# Names in paths, and which model is compared.
from sciml.compression.config import RUNS as SIMULATED

DOMAINS = sorted(SETTINGS.compression.domains)
NETWORKS = sorted(SETTINGS.compression.networks)
NEURAL = sorted(SETTINGS.compression.neural)
STRUCTURES = sorted(SETTINGS.compression.vectors)
PICTURES = [
    name for name in DOMAINS if SETTINGS.compression.domains[name].kind == "pictures"
]
APART = [name for name in DOMAINS if name not in PICTURES]
RUNS = {
    (role, run.name): run
    for role, runs in SETTINGS.compression.simulations.runs.items()
    for run in runs
}
PACKAGE_MODELS = packaged("compression", "weights")
# one call for each model of a domain
PUBLISH = (
    "for weights in {input.weights:q} {input.neural:q}; do "
    f"{CALL} --weights $weights --bench {{input.bench:q}} --output {{params.package:q}} || exit 1; "
    f"done {LOG}"
)


def runs_of(*roles):
    """Return an input function: the simulated runs of some roles, where a domain's fields come from them."""

    def stores(wildcards):
        domain = SETTINGS.compression.domains[wildcards.domain]
        if domain.kind != "fields" or domain.experiment != SIMULATED:
            return []
        return [
            f"<results>/runs/{role}/{name}.zarr" for role, name in RUNS if role in roles
        ]

    return stores


def simulate_options(wildcards):
    """Return the options of one run's simulation."""
    run, every = RUNS[wildcards.role, wildcards.run], SETTINGS.compression.simulations
    return (
        f"--alpha {run.alpha} --zeta {run.zeta} --seed {run.seed} --points {every.points} --length {every.length} "
        f"--until {every.until} --save-every {every.save_every} --time-step {every.time_step}"
    )


def runs_option(wildcards, input):
    """Return the option that names the folder of the runs, or nothing."""
    return f"--runs {above('runs', 2)(wildcards, input)}" if input.runs else ""


def model_of(wildcards):
    """Return the model file of a domain that is compared: the package's, or this run's own."""
    if SETTINGS.compression.weights == "shipped":
        return f"{PACKAGE_MODELS}/{wildcards.domain}.safetensors"
    return trained_model_of(wildcards)


def trained_model_of(wildcards):
    """Return the model file that this run makes of a domain."""
    stage = "train" if wildcards.domain in NETWORKS else "fit"
    return f"<results>/{wildcards.domain}/{stage}/model.safetensors"


def neural_of(wildcards):
    """Return the neural model of a domain that is compared; none where there is none, or none came with the package."""
    if wildcards.domain not in NEURAL:
        return []
    if SETTINGS.compression.weights == "trained":
        return [f"<results>/{wildcards.domain}/neural/model.safetensors"]
    shipped = f"{PACKAGE_MODELS}/neural.safetensors"
    return [shipped] if os.path.isfile(shipped) else []


PHOTO = f"{PACKAGE_MODELS}/photo.safetensors"


def photo_of(wildcards):
    """Return the package's model of photographs where slices or fields are compared with it too."""
    return [PHOTO] if wildcards.domain in APART else []


def trained_neural_of(wildcards):
    """Return the neural model that this run makes of a domain, or none."""
    if wildcards.domain not in NEURAL:
        return []
    return [f"<results>/{wildcards.domain}/neural/model.safetensors"]


def trainings(wildcards):
    """Return the histories of the networks that the page shows: none where the package's models are compared."""
    if SETTINGS.compression.weights == "shipped":
        return []
    return expand(rules.train_network.output.history, domain=NETWORKS)


def vector_comparison(wildcards):
    """Return the comparison of vectors with scalar symbols, if there is one."""
    return rules.compare_vectors.output.bench if STRUCTURES else []
