# Where the bits of a model go, its pictures at equal bytes, what must hold for its files.
rule inspect_model:
    input:
        weights=model_of,
    output:
        numbers=report(
            "<results>/{domain}/inspect/inspect.json",
            caption="../report/inspect.rst",
            category="compression",
        ),
        maps="<results>/{domain}/inspect/maps.safetensors",
        provenance="<results>/{domain}/inspect/provenance.json",
    log:
        "<logs>/{domain}/inspect.log",
    benchmark:
        "<benchmarks>/{domain}/inspect.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        config=stage_config("compression", "inspect", "domain"),
        files=package_files,
        code=declared("sciml.compression.stages.inspect"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml compression stage inspect --config {params.config:q} --weights {input.weights:q} --output {params.folder:q} "
        "--threads {threads} > {log:q} 2>&1"
