# What makes the difference between the official and the residual form: one switch at a time, on validation people, for a quarter of
# the time. What `make ablations` asks for, and no part of the study.
rule predict_ablations:
    input:
        header="<results>/cohort/cohort.json",
        table="<results>/cohort/visits.csv",
        subjects=ancient("<results>/cohort/subjects"),
        models=expand(rules.assemble_model.output.weights, form=ABLATIONS),
    output:
        pairs="<results>/ablate/predictions/pairs.json",
        provenance="<results>/ablate/predictions/provenance.json",
    log:
        "<logs>/ablate/predict.log",
    benchmark:
        "<benchmarks>/ablate/predict.tsv"
    threads: 2
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=1,
    params:
        config=stage_config("progression", "ablate_predict"),
        code=declared("sciml.progression.stages.predict"),
        cohort=lambda wildcards, input: os.path.dirname(input.header),
        models=lambda wildcards, input: [
            f"--model {form}={path}" for form, path in zip(ABLATIONS, input.models)
        ],
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml progression stage predict --config {params.config:q} --cohort {params.cohort:q} {params.models} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule evaluate_ablations:
    input:
        header="<results>/cohort/cohort.json",
        subjects=ancient("<results>/cohort/subjects"),
        calibration="<results>/calibration/cohort.json",
        calibrators=ancient("<results>/calibration/subjects"),
        model="<results>/models/short_residual.safetensors",
        pairs=rules.predict_ablations.output.pairs,
    output:
        metrics="<results>/ablate/metrics.json",
        changes="<results>/ablate/changes.safetensors",
        provenance="<results>/ablate/provenance.json",
    log:
        "<logs>/ablate/evaluate.log",
    benchmark:
        "<benchmarks>/ablate/evaluate.tsv"
    threads: 2
    resources:
        mem_mb=6000,
        runtime=120,
        gpu=1,
    params:
        config=stage_config("progression", "ablate_evaluate"),
        code=declared("sciml.progression.stages.evaluate"),
        cohort=lambda wildcards, input: os.path.dirname(input.header),
        calibration=lambda wildcards, input: os.path.dirname(input.calibration),
        predictions=lambda wildcards, input: os.path.dirname(input.pairs),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml progression stage evaluate --config {params.config:q} --cohort {params.cohort:q} "
        "--calibration {params.calibration:q} --model {input.model:q} --predictions {params.predictions:q} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule write_ablations_page:
    input:
        header="<results>/cohort/cohort.json",
        metrics=rules.evaluate_ablations.output.metrics,
        provenance=rules.evaluate_ablations.output.provenance,
        predictions=rules.predict_ablations.output.provenance,
    output:
        page=report(
            "<reports>/progression-ablations.html",
            caption="../report/page.rst",
            category="progression",
        ),
        record="<reports>/progression-ablations.report.json",
    log:
        "<logs>/ablate-report.log",
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        config=stage_config("progression", "report"),
        code=declared("sciml.progression.stages.ablate_report"),
        results=lambda wildcards, input: os.path.dirname(os.path.dirname(input.header)),
        folder=folder_of,
    shell:
        "( SCIML_DECLARED={params.code:q} sciml progression stage ablate-report --config {params.config:q} --results {params.results:q} "
        "--output {output.page:q} && sciml report index {params.folder:q} ) > {log:q} 2>&1"


rule ablations:
    input:
        rules.write_ablations_page.output,
