# What each part of the codec is worth, on validation data alone: what `make ablations` asks for, and no part of the study.
rule measure_parts:
    input:
        weights=f"{PACKAGE_MODELS}/{SETTINGS.compression.ablate.domain}.safetensors",
    output:
        numbers="<results>/ablate/ablations.json",
        provenance="<results>/ablate/provenance.json",
    log:
        "<logs>/ablate.log",
    benchmark:
        "<benchmarks>/ablate.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=90,
    params:
        config=stage_config("compression", "ablate"),
        files=package_files,
        code=declared("sciml.compression.stages.ablate"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml compression stage ablate --config {params.config:q} --weights {input.weights:q} --output {params.folder:q} "
        "--threads {threads} > {log:q} 2>&1"


# the index of a run does not ask for this page, so it is written again here
rule write_ablations_page:
    input:
        numbers=rules.measure_parts.output.numbers,
        provenance=rules.measure_parts.output.provenance,
    output:
        page=report(
            "<reports>/compression-ablations.html",
            caption="../report/page.rst",
            category="compression",
        ),
        record="<reports>/compression-ablations.report.json",
    log:
        "<logs>/ablate-report.log",
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        config=stage_config("compression", "report"),
        code=declared("sciml.compression.stages.ablate_report"),
        folder=folder_of,
    shell:
        "( SCIML_DECLARED={params.code:q} sciml compression stage ablate-report --config {params.config:q} --table {input.numbers:q} --output {output.page:q} "
        "&& sciml report index {params.folder:q} ) > {log:q} 2>&1"


rule ablations:
    input:
        rules.write_ablations_page.output,
