# Models: simulated fields to learn from, rules and tables by least squares and counting, then a network by gradient steps.
rule simulate_fields:
    output:
        store=directory("<results>/runs/{role}/{run}.zarr"),
    log:
        "<logs>/runs/{role}/{run}.log",
    benchmark:
        "<benchmarks>/runs/{role}/{run}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        run=simulate_options,
        code=declared("sciml.active_fluid.solvers.simulation"),
    shell:
        "SCIML_DECLARED={params.code:q} sciml active-fluid simulate {params.run} --threads {threads} --out {output.store:q} > {log:q} 2>&1"


rule fit_model:
    input:
        runs=runs_of("train"),
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
        code=declared("sciml.compression.stages.fit"),
        folder=folder_of,
        runs=runs_option,
    shell:
        "SCIML_DECLARED={params.code:q} sciml compression stage fit --config {params.config:q} --output {params.folder:q} {params.runs} "
        "--threads {threads} > {log:q} 2>&1"


rule train_network:
    input:
        base=rules.fit_model.output.weights,
        runs=runs_of("train", "validation"),
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
        code=declared("sciml.compression.stages.train"),
        folder=folder_of,
        runs=runs_option,
    shell:
        "SCIML_DECLARED={params.code:q} sciml compression stage train --config {params.config:q} --base {input.base:q} --output {params.folder:q} {params.runs} "
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
        code=declared("sciml.compression.stages.train_neural"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml compression stage train-neural --config {params.config:q} --output {params.folder:q} "
        "--threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule publish_model:
    input:
        weights=trained_model_of,
        bench="<results>/{domain}/evaluate/bench.json",
        neural=trained_neural_of,
    output:
        done=touch("<results>/publish/{domain}"),
    log:
        "<logs>/{domain}/publish.log",
    params:
        code=declared("sciml.compression.stages.publish"),
        package=PACKAGE_MODELS,
    shell:
        "for weights in {input.weights:q} {input.neural:q}; do "
        "SCIML_DECLARED={params.code:q} sciml compression stage publish --weights $weights --bench {input.bench:q} --output {params.package:q} || exit 1; "
        "done > {log:q} 2>&1"


rule publish_weights:
    input:
        expand(rules.publish_model.output.done, domain=DOMAINS),
    output:
        done=touch("<results>/publish/published"),
