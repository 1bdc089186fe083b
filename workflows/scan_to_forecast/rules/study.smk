rule make_budget:
    input:
        cases=expand("<results>/{group}/cases/cases.json", group=GROUPS),
        chains=every_end("forecast/chains.json"),
    output:
        budget=shown("scan to forecast", "budget", "<results>/budget/budget.json"),
        provenance="<results>/budget/provenance.json",
    log:
        "<logs>/budget.log",
    benchmark:
        "<benchmarks>/budget.tsv"
    resources:
        **needs(2000, 10),
    params:
        **stage("scan_to_forecast", "evaluate"),
        given=each("cases", "chains"),
    shell:
        stage_command("{params.given}")


rule write_page:
    input:
        budget=rules.make_budget.output.budget,
        slices=every_end("forecast/slices.safetensors"),
    output:
        **page_files("scan_to_forecast"),
    log:
        "<logs>/report.log",
    resources:
        **needs(2000, 10),
    params:
        **stage("scan_to_forecast", "report"),
        results=above("budget", 2),
    shell:
        page_command()
