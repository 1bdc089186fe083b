rule train_network:
    input:
        start=start_of,
    output:
        weights="<results>/train/{model}/{model}.safetensors",
        history="<results>/train/{model}/history.csv",
        provenance="<results>/train/{model}/provenance.json",
    log:
        "<logs>/train/{model}.log",
    benchmark:
        "<benchmarks>/train/{model}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=180,
        gpu=1,
    params:
        config=stage_config("proximal", "train", "model"),
        files=package_files,
        code=declared("sciml.proximal.stages.train"),
        folder=folder_of,
        start=lambda wildcards, input: f"--start {input.start}" if input.start else "",
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml proximal stage train --config {params.config:q} {params.start} --output {params.folder:q} "
        "--threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule publish_weights:
    input:
        weights=expand(
            rules.train_network.output.weights, model=sorted(SETTINGS.proximal.models)
        )
        + ["<results>/digits/digits.safetensors"],
    output:
        done=touch("<results>/publish/published"),
    log:
        "<logs>/publish.log",
    params:
        code=declared("sciml.proximal.stages.publish"),
        weights=lambda wildcards, input: " ".join(
            f"--weights {path}" for path in input.weights
        ),
        package=PACKAGE_WEIGHTS,
    shell:
        "SCIML_DECLARED={params.code:q} sciml proximal stage publish {params.weights} --output {params.package:q} > {log:q} 2>&1"
