# What makes the difference between the official and the residual form: one switch at a time, on validation people, for a quarter of
# the time. What `make ablations` asks for, and no part of the study.
use rule assemble_models as assemble_ablations with:
    input:
        autoencoder=rules.train_autoencoder.output.weights,
        denoisers=[denoiser_of(form) for form in ABLATIONS],
        course=rules.fit_courses.output.weights,
    output:
        weights=expand("<results>/models/{form}.safetensors", form=ABLATIONS),
    log:
        "<logs>/ablate/models.log",
    params:
        **program("progression", "assemble"),
        denoisers=by_form("denoiser", ABLATIONS, "denoisers"),
        folder=folder_of(),


use rule predict_pairs as predict_ablations with:
    input:
        **COHORT,
        models=rules.assemble_ablations.output.weights,
    output:
        pairs="<results>/ablate/predictions/pairs.json",
        provenance="<results>/ablate/predictions/provenance.json",
    log:
        "<logs>/ablate/predict.log",
    benchmark:
        "<benchmarks>/ablate/predict.tsv"
    resources:
        **needs(8000, 120, gpu=1),
    params:
        **stage("progression", "predict", settings="ablate_predict"),
        folders=folders(cohort="header"),
        models=by_form("model", ABLATIONS, "models"),


use rule evaluate_forecasts as evaluate_ablations with:
    input:
        **CALIBRATION,
        header="<results>/cohort/cohort.json",
        subjects=ancient("<results>/cohort/subjects"),
        model="<results>/models/short_residual.safetensors",
        pairs=rules.predict_ablations.output.pairs,
        flow=flow_model(),
    output:
        metrics="<results>/ablate/metrics.json",
        changes="<results>/ablate/changes.safetensors",
        provenance="<results>/ablate/provenance.json",
    log:
        "<logs>/ablate/evaluate.log",
    benchmark:
        "<benchmarks>/ablate/evaluate.tsv"
    params:
        **stage("progression", "evaluate", settings="ablate_evaluate"),
        folders=folders(cohort="header", calibration="calibration", predictions="pairs"),


rule write_ablations_page:
    input:
        header="<results>/cohort/cohort.json",
        metrics=rules.evaluate_ablations.output.metrics,
        provenance=rules.evaluate_ablations.output.provenance,
        predictions=rules.predict_ablations.output.provenance,
    output:
        **page_files("progression-ablations"),
    log:
        "<logs>/ablate-report.log",
    resources:
        **needs(2000, 10),
    params:
        **stage("progression", "ablate_report", settings="report"),
        results=above("header", 2),
    shell:
        page_command(index=True)


rule ablations:
    input:
        rules.write_ablations_page.output,
