# All studies of the workbench. Settings: --config tier=ci|demo|cpu|gpu|PATH.yaml
from snakemake.utils import min_version

from snakemake.logging import logger

from sciml.families import families
from sciml.runtime.extras import absent, remedy

min_version("9.17.3")


container: config.get("container")


include: "workflows/common.smk"


# every family that has a workflow here; a plugin's stands elsewhere, with a root Snakefile of its own
STUDIES = {
    family: f"workflows/{family}/Snakefile"
    for family in families()
    if os.path.isfile(os.path.join(workflow.basedir, "workflows", family, "Snakefile"))
}

# an installation may have the packages of some families only
for family in list(STUDIES):
    if absent(extra := family.replace("_", "-")):
        logger.warning(f"{family} is left out, it is not installed: {remedy(extra)}")
        del STUDIES[family]


include: "workflows/studies.smk"


rule all:
    default_target: True
    input:
        EVERYTHING,
