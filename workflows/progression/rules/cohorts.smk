# People whose brains change at known rates: those of the study, those that calibrate its measurements, and volumes of many more
# without images, from which courses learn.
rule simulate_cohorts:
    output:
        tables=expand(
            "<results>/{cohort}/{file}",
            cohort=COHORTS,
            file=["cohort.json", "visits.csv", "accuracy.csv", "provenance.json"],
        ),
        volumes=expand(
            "<results>/tables/{file}",
            file=["cohort.json", "visits.csv", "provenance.json"],
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
