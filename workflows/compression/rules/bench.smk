# Our models beside the classical codecs, on test pictures, from the sizes of files.
rule compare_codecs:
    input:
        weights=model_of,
        neural=neural_of,
        photo=photo_of,
        runs=runs_of("test"),
    output:
        bench=report(
            "<results>/{domain}/evaluate/bench.json",
            caption="../report/bench.rst",
            category="compression",
        ),
        rows="<results>/{domain}/evaluate/bench.csv",
        provenance="<results>/{domain}/evaluate/provenance.json",
    log:
        "<logs>/{domain}/evaluate.log",
    benchmark:
        "<benchmarks>/{domain}/evaluate.tsv"
    threads: 2
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        config=stage_config("compression", "evaluate", "domain"),
        files=package_files,
        code=declared("sciml.compression.stages.evaluate"),
        folder=folder_of,
        neural=lambda wildcards, input: [
            word for path in input.neural for word in ("--neural", path)
        ],
        runs=runs_option,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml compression stage evaluate --config {params.config:q} --weights {input.weights:q} --output {params.folder:q} "
        "{params.neural:q} {params.runs} --threads {threads} > {log:q} 2>&1"
