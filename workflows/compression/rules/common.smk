# Names in paths, and which model is compared.
from pathlib import Path

import sciml.compression

DOMAINS = sorted(SETTINGS.compression.domains)
NETWORKS = sorted(SETTINGS.compression.networks)
NEURAL = sorted(SETTINGS.compression.neural)
STRUCTURES = sorted(SETTINGS.compression.vectors)
PACKAGE_MODELS = Path(sciml.compression.__file__).parent / "weights"


def model_of(wildcards):
    """Return the model file of a domain that is compared: the package's, or this run's own."""
    if SETTINGS.compression.weights == "shipped":
        return str(PACKAGE_MODELS / f"{wildcards.domain}.safetensors")
    stage = "train" if wildcards.domain in NETWORKS else "fit"
    return f"<results>/{wildcards.domain}/{stage}/model.safetensors"


def neural_of(wildcards):
    """Return the neural model of a domain that is compared; none where there is none, or none came with the package."""
    if wildcards.domain not in NEURAL:
        return []
    if SETTINGS.compression.weights == "trained":
        return [f"<results>/{wildcards.domain}/neural/model.safetensors"]
    shipped = PACKAGE_MODELS / "neural.safetensors"
    return [str(shipped)] if shipped.is_file() else []


def trainings(wildcards):
    """Return the histories of the networks that the page shows: none where the package's models are compared."""
    if SETTINGS.compression.weights == "shipped":
        return []
    return expand(rules.train_network.output.history, domain=NETWORKS)


def vector_comparison(wildcards):
    """Return the comparison of vectors with scalar symbols, if there is one."""
    return rules.compare_vectors.output.bench if STRUCTURES else []
