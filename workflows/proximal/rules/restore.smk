rule restore_problems:
    input:
        measurements=rules.measure_pictures.output.measurements,
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


rule evaluate_reconstructions:
    input:
        measurements=rules.measure_pictures.output.measurements,
        classical=rules.solve_problems.output.reconstructions,
        learned=rules.restore_problems.output.reconstructions,
    output:
        metrics=shown("proximal", "metrics", "<results>/{task}/evaluate/metrics.json"),
        provenance="<results>/{task}/evaluate/provenance.json",
    log:
        "<logs>/{task}/evaluate.log",
    benchmark:
        "<benchmarks>/{task}/evaluate.tsv"
    resources:
        **needs(2000, 10),
    params:
        **stage("proximal", "evaluate", "task"),
    shell:
        stage_command("measurements", "classical", "learned")
