rule train_filter:
    output:
        weights="<results>/train/filter.safetensors",
        card="<results>/train/filter.md",
        history="<results>/train/history.csv",
        provenance="<results>/train/provenance.json",
    log:
        "<logs>/train.log",
    benchmark:
        "<benchmarks>/train.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
        gpu=1,
    params:
        config=stage_config("example", "train"),
        code=declared("sciml_example.stages.train"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml example stage train --config {params.config:q} --output {params.folder:q} "
        "--threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule evaluate_filter:
    input:
        weights=rules.train_filter.output.weights,
    output:
        metrics=report(
            "<results>/evaluate/metrics.json",
            caption="../report/metrics.rst",
            category="example",
        ),
        pictures="<results>/evaluate/pictures.safetensors",
        provenance="<results>/evaluate/provenance.json",
    log:
        "<logs>/evaluate.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        config=stage_config("example", "evaluate"),
        code=declared("sciml_example.stages.evaluate"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml example stage evaluate --config {params.config:q} --weights {input.weights:q} "
        "--output {params.folder:q} --threads {threads} > {log:q} 2>&1"


rule write_page:
    input:
        history=rules.train_filter.output.history,
        metrics=rules.evaluate_filter.output.metrics,
    output:
        page=report(
            "<reports>/example.html", caption="../report/page.rst", category="example"
        ),
        record="<reports>/example.report.json",
    log:
        "<logs>/report.log",
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        config=stage_config("example", "report"),
        code=declared("sciml_example.stages.report"),
        results=lambda wildcards, input: os.path.dirname(os.path.dirname(input.metrics)),
    shell:
        "SCIML_DECLARED={params.code:q} sciml example stage report --config {params.config:q} --results {params.results:q} --output {output.page:q} > {log:q} 2>&1"
