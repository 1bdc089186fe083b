# The page, from files alone.
rule write_page:
    input:
        benches=expand(rules.compare_codecs.output.bench, domain=DOMAINS),
        inspections=expand(rules.inspect_model.output.numbers, domain=PICTURES),
        apart=expand(rules.show_apart.output.numbers, domain=APART),
        histories=trainings,
        vectors=vector_comparison,
    output:
        page=report(
            "<reports>/compression.html",
            caption="../report/page.rst",
            category="compression",
        ),
        record="<reports>/compression.report.json",
    log:
        "<logs>/report.log",
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        config=stage_config("compression", "report"),
        code=declared("sciml.compression.stages.report"),
        results=lambda wildcards, input: os.path.dirname(
            os.path.dirname(os.path.dirname(input.benches[0]))
        ),
    shell:
        "SCIML_DECLARED={params.code:q} sciml compression stage report --config {params.config:q} --results {params.results:q} --output {output.page:q} > {log:q} 2>&1"
