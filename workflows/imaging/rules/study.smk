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
        measurements=expand(rules.reconstruct_problems.output.measurements, task=TASKS),
        reconstructions=expand(
            rules.reconstruct_problems.output.reconstructions, task=TASKS
        ),
    output:
        metrics=[
            shown(
                "imaging",
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
        **stage("imaging", "evaluate", levels=3),
        results=above("measurements", 3),
    shell:
        stage_command("--results {params.results:q}")


rule write_page:
    input:
        checks=rules.check_operators.output.checks,
        metrics=rules.evaluate_reconstructions.output.metrics,
    output:
        **page_files("imaging"),
    log:
        "<logs>/report.log",
    resources:
        **needs(3000, 10),
    params:
        **stage("imaging", "report"),
        results=above("checks", 2),
    shell:
        page_command()
