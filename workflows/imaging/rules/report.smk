rule write_page:
    input:
        checks=rules.check_operators.output.checks,
        metrics=expand(
            rules.evaluate_reconstructions.output.metrics,
            task=sorted(SETTINGS.imaging.studies),
        ),
    output:
        page=report(
            "<reports>/imaging.html", caption="../report/page.rst", category="imaging"
        ),
        record="<reports>/imaging.report.json",
    log:
        "<logs>/report.log",
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        config=stage_config("imaging", "report"),
        code=declared("sciml.classical.stages.report"),
        results=lambda wildcards, input: os.path.dirname(os.path.dirname(input.checks)),
    shell:
        "SCIML_DECLARED={params.code:q} sciml imaging stage report --config {params.config:q} --results {params.results:q} --output {output.page:q} > {log:q} 2>&1"
