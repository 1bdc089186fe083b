# What each part of the codec is worth, on validation data alone: what `make ablations` asks for, and no part of the study.
rule measure_parts:
    input:
        weights=PHOTO,
    output:
        numbers="<results>/ablate/ablations.json",
        provenance="<results>/ablate/provenance.json",
    log:
        "<logs>/ablate.log",
    benchmark:
        "<benchmarks>/ablate.tsv"
    resources:
        **needs(4000, 90),
    params:
        **stage("compression", "ablate"),
    shell:
        stage_command("weights")


# the index of a run does not ask for this page, so it is written again here
rule write_ablations_page:
    input:
        numbers=rules.measure_parts.output.numbers,
        provenance=rules.measure_parts.output.provenance,
    output:
        **page_files("compression-ablations"),
    log:
        "<logs>/ablate-report.log",
    resources:
        **needs(2000, 10),
    params:
        **stage("compression", "ablate_report", settings="report"),
    shell:
        page_command("--table {input.numbers:q}", index=True)


rule ablations:
    input:
        rules.write_ablations_page.output,
