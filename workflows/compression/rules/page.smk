# The page, from files alone.
rule write_page:
    input:
        benches=expand(rules.compare_codecs.output.bench, domain=DOMAINS),
        lossless=rules.compare_lossless.output.numbers,
        looks=rules.show_models.output.numbers,
        judged=judged(),
        histories=trainings,
        vectors=vector_comparison,
    output:
        **page_files("compression"),
    log:
        "<logs>/report.log",
    resources:
        **needs(3000, 10),
    params:
        **stage("compression", "report"),
        results=above("benches", 3),
    shell:
        page_command()
