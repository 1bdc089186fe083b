# All studies of the workbench. Settings: --config tier=ci|demo|cpu|gpu|PATH.yaml
from snakemake.utils import min_version

min_version("9.12")


container: config.get("container", "docker://python:3.11")


include: "workflows/common.smk"


module imaging:
    pathvars:
        results=f"results/{SETTINGS.tier}/imaging",
        logs=f"logs/{SETTINGS.tier}/imaging",
        benchmarks=f"results/{SETTINGS.tier}/benchmarks/imaging",
        reports=REPORTS,
    snakefile:
        "workflows/imaging/Snakefile"
    config:
        config


use rule * from imaging as imaging_*


module proximal:
    pathvars:
        results=f"results/{SETTINGS.tier}/proximal",
        logs=f"logs/{SETTINGS.tier}/proximal",
        benchmarks=f"results/{SETTINGS.tier}/benchmarks/proximal",
        reports=REPORTS,
    snakefile:
        "workflows/proximal/Snakefile"
    config:
        config


use rule * from proximal as proximal_*


module deblurring:
    pathvars:
        results=f"results/{SETTINGS.tier}/deblurring",
        logs=f"logs/{SETTINGS.tier}/deblurring",
        benchmarks=f"results/{SETTINGS.tier}/benchmarks/deblurring",
        reports=REPORTS,
    snakefile:
        "workflows/deblurring/Snakefile"
    config:
        config


use rule * from deblurring as deblurring_*


module active_fluid:
    pathvars:
        results=f"results/{SETTINGS.tier}/active_fluid",
        logs=f"logs/{SETTINGS.tier}/active_fluid",
        benchmarks=f"results/{SETTINGS.tier}/benchmarks/active_fluid",
        reports=REPORTS,
    snakefile:
        "workflows/active_fluid/Snakefile"
    config:
        config


use rule * from active_fluid as active_fluid_*


module compression:
    pathvars:
        results=f"results/{SETTINGS.tier}/compression",
        logs=f"logs/{SETTINGS.tier}/compression",
        benchmarks=f"results/{SETTINGS.tier}/benchmarks/compression",
        reports=REPORTS,
    snakefile:
        "workflows/compression/Snakefile"
    config:
        config


use rule * from compression as compression_*


module progression:
    pathvars:
        results=f"results/{SETTINGS.tier}/progression",
        logs=f"logs/{SETTINGS.tier}/progression",
        benchmarks=f"results/{SETTINGS.tier}/benchmarks/progression",
        reports=REPORTS,
    snakefile:
        "workflows/progression/Snakefile"
    config:
        config


use rule * from progression as progression_*


rule all:
    default_target: True
    input:
        rules.imaging_study.input,
        rules.proximal_study.input,
        rules.deblurring_study.input,
        rules.active_fluid_study.input,
        rules.compression_study.input,
        rules.progression_study.input,
        f"{REPORTS}/index.html",


# one target a study
rule imaging:
    input:
        rules.imaging_study.input,


rule proximal:
    input:
        rules.proximal_study.input,


rule deblurring:
    input:
        rules.deblurring_study.input,


rule active_fluid:
    input:
        rules.active_fluid_study.input,


rule compression:
    input:
        rules.compression_study.input,


rule progression:
    input:
        rules.progression_study.input,


rule write_index:
    input:
        records=[
            f"{REPORTS}/imaging.report.json",
            f"{REPORTS}/proximal.report.json",
            f"{REPORTS}/deblurring.report.json",
            f"{REPORTS}/active_fluid.report.json",
            f"{REPORTS}/compression.report.json",
            f"{REPORTS}/progression.report.json",
        ],
    output:
        index=f"{REPORTS}/index.html",
    log:
        f"logs/{SETTINGS.tier}/index.log",
    params:
        folder=folder_of,
        code=source_digest("sciml.report.index"),
    shell:
        "sciml report index {params.folder:q} > {log:q} 2>&1"


# a stage that this run no longer has (another tier, a task that was taken out) will never succeed and clear its record
onstart:
    from sciml.report.index import keep_failures

    keep_failures(REPORTS, rules.all.input)


# what has run is shown, what failed stands there in red with its traceback and command
onerror:
    shell("sciml report index {REPORTS}")
