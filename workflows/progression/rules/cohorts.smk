# People whose brains change at known rates: those of the study, and those that calibrate its measurements.
rule simulate_cohort:
    output:
        header="<results>/{cohort}/cohort.json",
        table="<results>/{cohort}/visits.csv",
        accuracy="<results>/{cohort}/accuracy.csv",
        summary=report(
            "<results>/{cohort}/accuracy.json",
            caption="../report/accuracy.rst",
            category="progression",
        ),
        subjects=directory("<results>/{cohort}/subjects"),
        provenance="<results>/{cohort}/provenance.json",
    log:
        "<logs>/{cohort}/simulate.log",
    benchmark:
        "<benchmarks>/{cohort}/simulate.tsv"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=stage_config("progression", "simulate", "cohort"),
        code=declared("sciml.progression.stages.simulate"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml progression stage simulate --config {params.config:q} --output {params.folder:q} --threads {threads} "
        "> {log:q} 2>&1"
