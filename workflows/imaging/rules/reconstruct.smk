rule check_operators:
    output:
        checks="<results>/check/checks.json",
        provenance="<results>/check/provenance.json",
    log:
        "<logs>/check.log",
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        **stage("imaging", "check"),
    shell:
        stage_command()


rule evaluate_reconstructions:
    input:
        measurements=rules.measure_pictures.output.measurements,
        reconstructions=rules.solve_problems.output.reconstructions,
    output:
        metrics=shown(
            "imaging",
            "metrics",
            "<results>/{task}/evaluate/metrics.json",
            task="{task}",
        ),
        provenance="<results>/{task}/evaluate/provenance.json",
    log:
        "<logs>/{task}/evaluate.log",
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        **stage("imaging", "evaluate", "task"),
    shell:
        stage_command("measurements", "reconstructions")
