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
    resources:
        **needs(2000, 10, gpu=1),
    params:
        **stage("example", "train"),
    shell:
        stage_command(gpu=True)


rule evaluate_filter:
    input:
        weights=rules.train_filter.output.weights,
    output:
        metrics=shown("example", "metrics", "<results>/evaluate/metrics.json"),
        pictures="<results>/evaluate/pictures.safetensors",
        provenance="<results>/evaluate/provenance.json",
    log:
        "<logs>/evaluate.log",
    benchmark:
        "<benchmarks>/evaluate.tsv"
    resources:
        **needs(2000, 10),
    params:
        **stage("example", "evaluate"),
    shell:
        stage_command("weights")


rule write_page:
    input:
        history=rules.train_filter.output.history,
        metrics=rules.evaluate_filter.output.metrics,
    output:
        **page_files("example"),
    log:
        "<logs>/report.log",
    resources:
        **needs(2000, 10),
    params:
        **stage("example", "report"),
        results=above("metrics", 2),
    shell:
        page_command()
