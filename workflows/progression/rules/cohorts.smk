# People whose brains change at known rates: those of the study, and those that calibrate its measurements.
rule simulate_cohorts:
    output:
        tables=expand(
            "<results>/{cohort}/{file}",
            cohort=COHORTS,
            file=["cohort.json", "visits.csv", "accuracy.csv", "provenance.json"],
        ),
        subjects=[directory(f"<results>/{cohort}/subjects") for cohort in COHORTS],
        summaries=[
            shown(
                "progression",
                "accuracy",
                f"<results>/{cohort}/accuracy.json",
                cohort=cohort,
            )
            for cohort in COHORTS
        ],
    log:
        "<logs>/simulate.log",
    benchmark:
        "<benchmarks>/simulate.tsv"
    threads: 2
    resources:
        **needs(4000, 120),
    params:
        **stage("progression", "simulate_cohorts", levels=2),
    shell:
        stage_command()


# volumes of many more subjects, without images: the courses learn from them, and their intervals are tested on them
rule simulate_tables:
    output:
        header="<results>/tables/cohort.json",
        table="<results>/tables/visits.csv",
        provenance="<results>/tables/provenance.json",
    log:
        "<logs>/tables.log",
    benchmark:
        "<benchmarks>/tables.tsv"
    resources:
        **needs(2000, 30),
    params:
        **stage("progression", "simulate_tables"),
    shell:
        program_command(SLICE, "--output {params.folder:q}")
