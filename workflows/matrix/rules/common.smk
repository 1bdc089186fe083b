# What the jobs are for, and which results of other families there are.
from sciml.imaging.plugins import prior_sources

PACKAGE_WEIGHTS = packaged("proximal", "weights")
DOMAINS = SETTINGS.matrix.domains()
OWN = SETTINGS.matrix.own_methods()
PRIORS = {re.sub(r"[^\w.-]", "-", name): name for name in SETTINGS.matrix.priors}


def network_files(wildcards):
    """Return the weight files of the networks of a domain, in the order of the settings."""
    return [
        f"{PACKAGE_WEIGHTS}/{name}.safetensors"
        for name in SETTINGS.matrix.networks(wildcards.domain)
    ]


# `sciml run` says which family was asked for
ALONE = config.get("family", "all") != "all"


def measured_by(rule, path, there=True):
    """Return a result of another family, or nothing; `there` where the data hold what it is measured on."""
    path = f"results/{SETTINGS.folder}/{path}"
    asked = there and not ALONE and workflow.is_rule(rule)
    return [path] if asked or os.path.isfile(path) else []
