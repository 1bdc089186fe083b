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


rule evaluate_reconstructions:
    input:
        measurements=expand(rules.reconstruct_problems.output.measurements, task=TASKS),
        classical=expand(rules.reconstruct_problems.output.reconstructions, task=TASKS),
        learned=expand(rules.restore_problems.output.reconstructions, task=TASKS),
    output:
        metrics=[
            shown(
                "proximal",
                "metrics",
                f"<results>/{task}/evaluate/metrics.json",
                task=task,
            )
            for task in TASKS
        ],
        provenance=expand("<results>/{task}/evaluate/provenance.json", task=TASKS),
    log:
        "<logs>/evaluate.log",
    benchmark:
        "<benchmarks>/evaluate.tsv"
    resources:
        **needs(2000, 10),
    params:
        **stage("proximal", "evaluate", levels=3),
        results=above("measurements", 3),
    shell:
        stage_command("--results {params.results:q}")
