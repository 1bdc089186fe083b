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
