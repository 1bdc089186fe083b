rule restore_problems:
    input:
        measurements=rules.reconstruct_problems.output.measurements,
        weights=compared_weights_of,
    output:
        reconstructions="<results>/{task}/restore/reconstructions.safetensors",
        runs="<results>/{task}/restore/runs.json",
        provenance="<results>/{task}/restore/provenance.json",
    log:
        "<logs>/{task}/restore.log",
    benchmark:
        "<benchmarks>/{task}/restore.tsv"
    resources:
        **needs(4000, 60, gpu=1),
    params:
        **stage("proximal", "restore", "task"),
        weights=each("weights"),
    shell:
        stage_command("measurements", "{params.weights}", gpu=True)
