# Slices and fields: pictures at equal bytes, spectra of decoded fields, equal pixels in other processes.
rule show_apart:
    input:
        weights=model_of,
        photo=PHOTO,
        runs=runs_of("test"),
    output:
        numbers=report(
            "<results>/{domain}/apart/apart.json",
            caption="../report/apart.rst",
            category="compression",
        ),
        arrays="<results>/{domain}/apart/apart.safetensors",
        provenance="<results>/{domain}/apart/provenance.json",
    log:
        "<logs>/{domain}/apart.log",
    benchmark:
        "<benchmarks>/{domain}/apart.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        config=stage_config("compression", "apart", "domain"),
        files=package_files,
        code=declared("sciml.compression.stages.apart"),
        folder=folder_of,
        runs=runs_option,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml compression stage apart --config {params.config:q} --weights {input.weights:q} --photo {input.photo:q} --output {params.folder:q} "
        "{params.runs} --threads {threads} > {log:q} 2>&1"
