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
    resources:
        **needs(4000, 180, gpu=1),
    params:
        **stage("proximal", "train", "model"),
        start=each("start"),
    shell:
        stage_command("{params.start}", gpu=True)


rule publish_weights:
    input:
        weights=expand(rules.train_network.output.weights, model=MODELS)
        + ["<results>/digits/digits.safetensors"],
    output:
        done=touch("<results>/publish/published"),
    log:
        "<logs>/publish.log",
    params:
        **program("proximal", "publish"),
        weights=each("weights"),
        package=PACKAGE_WEIGHTS,
    shell:
        program_command("{params.weights} --output {params.package:q}")
