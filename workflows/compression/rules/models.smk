# Models: rules and tables by least squares and counting, then a network by gradient steps.
rule fit_model:
    output:
        weights="<results>/{domain}/fit/model.safetensors",
        provenance="<results>/{domain}/fit/provenance.json",
    log:
        "<logs>/{domain}/fit.log",
    benchmark:
        "<benchmarks>/{domain}/fit.tsv"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=90,
    params:
        config=stage_config("compression", "fit", "domain"),
        code=source_digest("sciml.compression.stages.fit"),
        folder=folder_of,
    shell:
        "sciml compression stage fit --config {params.config:q} --output {params.folder:q} "
        "--threads {threads} > {log:q} 2>&1"


rule train_network:
    input:
        base=rules.fit_model.output.weights,
    output:
        weights="<results>/{domain}/train/model.safetensors",
        history="<results>/{domain}/train/history.csv",
        provenance="<results>/{domain}/train/provenance.json",
    log:
        "<logs>/{domain}/train.log",
    benchmark:
        "<benchmarks>/{domain}/train.tsv"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=180,
        gpu=1,
    params:
        config=stage_config("compression", "train", "domain"),
        code=source_digest("sciml.compression.stages.train"),
        folder=folder_of,
    shell:
        "sciml compression stage train --config {params.config:q} --base {input.base:q} --output {params.folder:q} "
        "--threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


# Networks on both sides of vector codebooks, trained end to end.
rule train_neural:
    output:
        weights="<results>/{domain}/neural/model.safetensors",
        history="<results>/{domain}/neural/history.csv",
        provenance="<results>/{domain}/neural/provenance.json",
    log:
        "<logs>/{domain}/neural.log",
    benchmark:
        "<benchmarks>/{domain}/neural.tsv"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=180,
        gpu=1,
    params:
        config=stage_config("compression", "train_neural", "domain"),
        code=source_digest("sciml.compression.stages.train_neural"),
        folder=folder_of,
    shell:
        "sciml compression stage train-neural --config {params.config:q} --output {params.folder:q} "
        "--threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule publish_weights:
    input:
        weights="<results>/photo/train/model.safetensors",
        bench="<results>/photo/evaluate/bench.json",
        neural="<results>/photo/neural/model.safetensors",
    output:
        done=touch("<results>/publish/published"),
    log:
        "<logs>/publish.log",
    params:
        code=source_digest("sciml.compression.stages.publish"),
        package=str(PACKAGE_MODELS),
    shell:
        "for weights in {input.weights:q} {input.neural:q}; do "
        "sciml compression stage publish --weights $weights --bench {input.bench:q} --output {params.package:q} || exit 1; "
        "done > {log:q} 2>&1"
