# The page, from files alone.
rule write_page:
    input:
        cohort="<results>/cohort/cohort.json",
        accuracy="<results>/cohort/accuracy.json",
        subjects=ancient("<results>/cohort/subjects"),
        metrics=rules.evaluate_forecasts.output.metrics,
        changes=rules.evaluate_forecasts.output.changes,
        pairs=rules.predict_pairs.output.pairs,
        variants=rules.predict_pairs.output.variants,
        intervals=rules.fit_courses.output.intervals,
        person=rules.forecast_person.output if HAS_PERSON else [],
    output:
        **page_files("progression"),
    log:
        "<logs>/report.log",
    resources:
        **needs(3000, 10),
    params:
        **stage("progression", "report"),
        ablated=ablated,
        results=above("cohort", 2),
    shell:
        page_command()
