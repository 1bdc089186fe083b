# People whose brains change at known rates: those of the study, and those that calibrate its measurements.
rule simulate_cohort:
    output:
        header="<results>/{cohort}/cohort.json",
        table="<results>/{cohort}/visits.csv",
        accuracy="<results>/{cohort}/accuracy.csv",
        summary=shown("progression", "accuracy", "<results>/{cohort}/accuracy.json"),
        subjects=directory("<results>/{cohort}/subjects"),
        provenance="<results>/{cohort}/provenance.json",
    log:
        "<logs>/{cohort}/simulate.log",
    benchmark:
        "<benchmarks>/{cohort}/simulate.tsv"
    threads: 2
    resources:
        **needs(4000, 120),
    params:
        **stage("progression", "simulate", "cohort"),
    shell:
        stage_command()
