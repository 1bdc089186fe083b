# Shared by the root Snakefile and by every family: settings, what a stage reads, and what its code is.
import os

from snakemake.exceptions import WorkflowError

import sciml

from sciml.runtime.declared import declaration, in_package
from sciml.runtime.files import digest_file
from sciml.runtime.sources import source_digest
from sciml.settings import load, slice_of

REPORTS = "reports"

# Snakemake answers a file in place of a folder with a traceback, and a sealed folder in the middle of a run
for folder in ("results", "logs", REPORTS):
    if os.path.lexists(folder) and not (
        os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)
    ):
        raise WorkflowError(
            f"{os.path.abspath(folder)} must be a folder that can be written: move it away, or run in another folder with --directory"
        )

TIER = str(config.get("tier", "demo"))
OVERRIDES = [f"data_tier={config['data_tier']}"] if "data_tier" in config else []
SETTINGS = load(TIER, OVERRIDES)

# no card where no number of cards is given; not in profiles/default, which Snakemake reads whatever profile is asked for and
# whose values win
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", 0)

# stages keep a record of their failure here until they succeed; the index shows what is left
shell.prefix(f"set -euo pipefail; export SCIML_REPORTS={REPORTS}; ")


def stage_config(family, stage, *wildcard_names):
    """Return a params function: canonical JSON of what the stage reads (a plain string with braces would be formatted)."""
    return lambda wildcards: slice_of(
        SETTINGS, family, stage, *(wildcards[name] for name in wildcard_names)
    )


# Snakemake leaves parameters that are made from inputs out when it looks for changes: the digest of the code must not be one
def declared(*modules):
    """Return a params function: the modules of a job and the digest of the code that they reach; the job compares."""
    return lambda wildcards: declaration(modules)


def package_files(wildcards, input):
    """Return which inputs of a job lie in the package, its shipped weights, for the rules that may have such; the job compares."""
    return os.pathsep.join(sorted(filter(in_package, input)))


def packaged(*parts):
    """Return the path of a file of the package: relative in a checkout, so that a moved or copied one repeats nothing."""
    path = os.path.join(os.path.dirname(sciml.__file__), *parts)
    inside = os.path.relpath(path)
    return path if inside.startswith(os.pardir) else inside


def folder_of(wildcards, output):
    """Return the folder of a job's first output."""
    return os.path.dirname(output[0])
