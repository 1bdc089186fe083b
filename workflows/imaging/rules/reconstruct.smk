rule check_operators:
    output:
        checks="<results>/check/checks.json",
        provenance="<results>/check/provenance.json",
    log:
        "<logs>/check.log",
    benchmark:
        "<benchmarks>/check.tsv"
    resources:
        **needs(3000, 10),
    params:
        **stage("imaging", "check"),
    shell:
        stage_command()


rule evaluate_reconstructions:
    input:
        measurements=rules.measure_pictures.output.measurements,
        reconstructions=rules.solve_problems.output.reconstructions,
    output:
        metrics=shown("imaging", "metrics", "<results>/{task}/evaluate/metrics.json"),
        provenance="<results>/{task}/evaluate/provenance.json",
    log:
        "<logs>/{task}/evaluate.log",
    benchmark:
        "<benchmarks>/{task}/evaluate.tsv"
    resources:
        **needs(2000, 10),
    params:
        **stage("imaging", "evaluate", "task"),
    shell:
        stage_command("measurements", "reconstructions")
