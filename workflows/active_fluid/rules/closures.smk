# Learned closures: trained point by point and through the solver, judged on runs that none has seen.
rule train_closure:
    input:
        train=expand(rules.generate_runs.output.runs, set="train"),
        validation=expand(rules.generate_runs.output.runs, set="validation"),
    output:
        weights=expand("<results>/train/{{closure}}/{seed}.safetensors", seed=SEEDS),
        history="<results>/train/{closure}/history.csv",
        provenance="<results>/train/{closure}/provenance.json",
    log:
        "<logs>/train/{closure}.log",
    benchmark:
        "<benchmarks>/train/{closure}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=180,
        gpu=1,
    params:
        config=stage_config("active_fluid", "train", "closure"),
        code=declared("sciml.active_fluid.stages.train"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml active-fluid stage train --config {params.config:q} --train {input.train:q} --validation {input.validation:q} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule evaluate_closures:
    input:
        test=expand(rules.generate_runs.output.runs, set="test"),
        weights=expand(
            "<results>/train/{closure}/{seed}.safetensors",
            closure=CLOSURES,
            seed=SEEDS,
        ),
        shipped=[SHIPPED] if SETTINGS.active_fluid.weights == "shipped" else [],
    output:
        scores=report(
            "<results>/evaluate/scores.json",
            caption="../report/scores.rst",
            category="active fluid",
        ),
        fields="<results>/evaluate/fields.safetensors",
        provenance="<results>/evaluate/provenance.json",
    log:
        "<logs>/evaluate.log",
    benchmark:
        "<benchmarks>/evaluate.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
        gpu=1,
    params:
        config=stage_config("active_fluid", "evaluate"),
        files=package_files,
        code=declared("sciml.active_fluid.stages.evaluate"),
        folder=folder_of,
        weights=named_weights,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml active-fluid stage evaluate --config {params.config:q} --test {input.test:q} {params.weights} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule publish_weights:
    input:
        weights=f"<results>/train/{SETTINGS.active_fluid.chosen}/0.safetensors",
        scores=rules.evaluate_closures.output.scores,
    output:
        done=touch("<results>/publish/published"),
    log:
        "<logs>/publish.log",
    params:
        code=declared("sciml.active_fluid.stages.publish"),
        package=PACKAGE_WEIGHTS,
    shell:
        "SCIML_DECLARED={params.code:q} sciml active-fluid stage publish --weights {input.weights:q} --scores {input.scores:q} --output {params.package:q} > {log:q} 2>&1"
