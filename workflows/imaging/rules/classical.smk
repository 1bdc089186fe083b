# Measurements, the classical methods and all scores for every task of a study: STUDY is the family whose settings say which
# and how, SOLVERS the stages whose reconstructions it scores.


rule reconstruct_problems:
    output:
        measurements="<results>/{task}/measure/measurements.safetensors",
        measured="<results>/{task}/measure/provenance.json",
        parameters="<results>/{task}/tune/parameters.json",
        tuned="<results>/{task}/tune/provenance.json",
        reconstructions="<results>/{task}/solve/reconstructions.safetensors",
        solved="<results>/{task}/solve/provenance.json",
    log:
        "<logs>/{task}/reconstruct.log",
    benchmark:
        "<benchmarks>/{task}/reconstruct.tsv"
    resources:
        **needs(4000, 120, gpu=1),
    params:
        **stage(
            "imaging", "reconstruct", "task", settings=f"{STUDY}.reconstruct", levels=2
        ),
    shell:
        stage_command(gpu=True)


rule evaluate_reconstructions:
    input:
        measurements=expand(rules.reconstruct_problems.output.measurements, task=TASKS),
        reconstructions=expand(
            "<results>/{task}/{solver}/reconstructions.safetensors",
            task=TASKS,
            solver=SOLVERS,
        ),
    output:
        metrics=[
            shown(
                STUDY, "metrics", f"<results>/{task}/evaluate/metrics.json", task=task
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
        **stage(STUDY, "evaluate", levels=3),
        results=above("measurements", 3),
    shell:
        stage_command("--results {params.results:q}")
