rule write_page:
    input:
        checks=rules.check_operators.output.checks,
        metrics=expand(
            rules.evaluate_reconstructions.output.metrics,
            task=sorted(SETTINGS.imaging.studies),
        ),
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
