# The truth: kinetic runs that closures learn from, and those that they are judged by.
rule generate_train:
    output:
        runs="<results>/train/generate/trajectories.safetensors",
        provenance="<results>/train/generate/provenance.json",
    log:
        "<logs>/train/generate.log",
    benchmark:
        "<benchmarks>/train/generate.tsv"
    resources:
        **needs(4000, 120, gpu=1),
    params:
        **stage("active_fluid", "generate", lambda wildcards: "train"),
    shell:
        stage_command(gpu=True)


use rule generate_train as generate_held_out with:
    output:
        validation="<results>/validation/generate/trajectories.safetensors",
        test="<results>/test/generate/trajectories.safetensors",
        provenance=expand(
            "<results>/{set}/generate/provenance.json", set=["validation", "test"]
        ),
    log:
        "<logs>/held_out.log",
    benchmark:
        "<benchmarks>/held_out.tsv"
    params:
        **stage("active_fluid", "held_out", levels=3),
