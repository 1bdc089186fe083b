# What is learned: the latent space, the diffusion models by form, the courses of volumes; and the model files they make.


rule train_autoencoder:
    input:
        header="<results>/cohort/cohort.json",
        table="<results>/cohort/visits.csv",
        subjects=ancient("<results>/cohort/subjects"),
    output:
        weights="<results>/autoencoder/autoencoder.safetensors",
        history="<results>/autoencoder/history.csv",
        provenance="<results>/autoencoder/provenance.json",
    log:
        "<logs>/autoencoder.log",
    benchmark:
        "<benchmarks>/autoencoder.tsv"
    threads: 2
    resources:
        mem_mb=6000,
        runtime=240,
        gpu=1,
    params:
        config=stage_config("progression", "train_autoencoder"),
        code=declared("sciml.progression.stages.train_autoencoder"),
        cohort=lambda wildcards, input: os.path.dirname(input.header),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml progression stage train-autoencoder --config {params.config:q} --cohort {params.cohort:q} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule train_diffusion:
    input:
        header="<results>/cohort/cohort.json",
        table="<results>/cohort/visits.csv",
        subjects=ancient("<results>/cohort/subjects"),
        autoencoder=rules.train_autoencoder.output.weights,
    output:
        weights="<results>/diffusion/{form}/{form}.safetensors",
        history="<results>/diffusion/{form}/history.csv",
        provenance="<results>/diffusion/{form}/provenance.json",
    log:
        "<logs>/diffusion/{form}.log",
    benchmark:
        "<benchmarks>/diffusion/{form}.tsv"
    threads: 2
    resources:
        mem_mb=6000,
        runtime=240,
        gpu=1,
    params:
        config=stage_config("progression", "train_diffusion", "form"),
        code=declared("sciml.progression.stages.train_diffusion"),
        cohort=lambda wildcards, input: os.path.dirname(input.header),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml progression stage train-diffusion --config {params.config:q} --cohort {params.cohort:q} "
        "--autoencoder {input.autoencoder:q} --output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule train_controlnet:
    input:
        header="<results>/cohort/cohort.json",
        table="<results>/cohort/visits.csv",
        subjects=ancient("<results>/cohort/subjects"),
        autoencoder=rules.train_autoencoder.output.weights,
        diffusion=rules.train_diffusion.output.weights,
    output:
        weights="<results>/controlnet/{form}/{form}.safetensors",
        history="<results>/controlnet/{form}/history.csv",
        provenance="<results>/controlnet/{form}/provenance.json",
    log:
        "<logs>/controlnet/{form}.log",
    benchmark:
        "<benchmarks>/controlnet/{form}.tsv"
    threads: 2
    resources:
        mem_mb=6000,
        runtime=240,
        gpu=1,
    params:
        config=stage_config("progression", "train_control", "form"),
        code=declared("sciml.progression.stages.train_diffusion"),
        cohort=lambda wildcards, input: os.path.dirname(input.header),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml progression stage train-controlnet --config {params.config:q} --cohort {params.cohort:q} "
        "--autoencoder {input.autoencoder:q} --diffusion {input.diffusion:q} --output {params.folder:q} "
        "--threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule fit_courses:
    input:
        header="<results>/cohort/cohort.json",
        table="<results>/cohort/visits.csv",
        subjects=ancient("<results>/cohort/subjects"),
    output:
        weights="<results>/course/course.safetensors",
        provenance="<results>/course/provenance.json",
    log:
        "<logs>/course.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        config=stage_config("progression", "fit_course"),
        code=declared("sciml.progression.stages.fit_course"),
        cohort=lambda wildcards, input: os.path.dirname(input.header),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml progression stage fit-course --config {params.config:q} --cohort {params.cohort:q} --output {params.folder:q} "
        "> {log:q} 2>&1"


rule assemble_model:
    input:
        autoencoder=rules.train_autoencoder.output.weights,
        denoiser=denoiser_of,
        course=rules.fit_courses.output.weights,
    output:
        weights="<results>/models/{form}.safetensors",
    log:
        "<logs>/models/{form}.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=declared("sciml.progression.networks.model_files"),
        name=lambda wildcards: f"{wildcards.form}-{SETTINGS.progression.cohorts['cohort'].grid}",
    shell:
        "SCIML_DECLARED={params.code:q} sciml progression stage assemble --name {params.name:q} --autoencoder {input.autoencoder:q} "
        "--denoiser {input.denoiser:q} --course {input.course:q} --output {output.weights:q} > {log:q} 2>&1"


rule predict_pairs:
    input:
        header="<results>/cohort/cohort.json",
        table="<results>/cohort/visits.csv",
        subjects=ancient("<results>/cohort/subjects"),
        models=[model_of(form) for form in FORMS],
    output:
        pairs="<results>/predictions/pairs.json",
        variants=expand("<results>/predictions/{variant}.safetensors", variant=VARIANTS),
        provenance="<results>/predictions/provenance.json",
    log:
        "<logs>/predict.log",
    benchmark:
        "<benchmarks>/predict.tsv"
    threads: 2
    resources:
        mem_mb=6000,
        runtime=120,
        gpu=1,
    params:
        config=stage_config("progression", "predict"),
        files=package_files,
        code=declared("sciml.progression.stages.predict"),
        cohort=lambda wildcards, input: os.path.dirname(input.header),
        models=lambda wildcards, input: [
            f"--model {form}={path}" for form, path in zip(FORMS, input.models)
        ],
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml progression stage predict --config {params.config:q} --cohort {params.cohort:q} {params.models} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule evaluate_forecasts:
    input:
        header="<results>/cohort/cohort.json",
        subjects=ancient("<results>/cohort/subjects"),
        calibration="<results>/calibration/cohort.json",
        calibrators=ancient("<results>/calibration/subjects"),
        model=model_of(MAIN_FORM),
        pairs=rules.predict_pairs.output.pairs,
        variants=rules.predict_pairs.output.variants,
    output:
        metrics=report(
            "<results>/evaluate/metrics.json",
            caption="../report/evaluate.rst",
            category="progression",
        ),
        changes="<results>/evaluate/changes.safetensors",
        provenance="<results>/evaluate/provenance.json",
    log:
        "<logs>/evaluate.log",
    benchmark:
        "<benchmarks>/evaluate.tsv"
    threads: 2
    resources:
        mem_mb=6000,
        runtime=120,
        gpu=1,
    params:
        config=stage_config("progression", "evaluate"),
        files=package_files,
        code=declared("sciml.progression.stages.evaluate"),
        cohort=lambda wildcards, input: os.path.dirname(input.header),
        calibration=lambda wildcards, input: os.path.dirname(input.calibration),
        predictions=lambda wildcards, input: os.path.dirname(input.pairs),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml progression stage evaluate --config {params.config:q} --cohort {params.cohort:q} "
        "--calibration {params.calibration:q} --model {input.model:q} --predictions {params.predictions:q} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


# one real brain, where the data tier has it
rule forecast_person:
    input:
        calibration="<results>/calibration/cohort.json",
        calibrators=ancient("<results>/calibration/subjects"),
        model=model_of(MAIN_FORM),
    output:
        summary="<results>/person/person.json",
        images="<results>/person/person.safetensors",
        provenance="<results>/person/provenance.json",
    log:
        "<logs>/person.log",
    benchmark:
        "<benchmarks>/person.tsv"
    threads: 2
    resources:
        mem_mb=6000,
        runtime=60,
        gpu=1,
    params:
        config=stage_config("progression", "person"),
        files=package_files,
        code=declared("sciml.progression.stages.person"),
        calibration=lambda wildcards, input: os.path.dirname(input.calibration),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml progression stage person --config {params.config:q} --calibration {params.calibration:q} "
        "--model {input.model:q} --output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


# make weights FAMILY=progression
rule publish_weights:
    input:
        weights=f"<results>/models/{MAIN_FORM}.safetensors",
        metrics=rules.evaluate_forecasts.output.metrics,
    output:
        done=touch("<results>/publish/published"),
    log:
        "<logs>/publish.log",
    params:
        code=declared("sciml.progression.stages.publish"),
        name=SETTINGS.progression.learning.model,
        package=PACKAGE_MODELS,
    shell:
        "SCIML_DECLARED={params.code:q} sciml progression stage publish --weights {input.weights:q} --metrics {input.metrics:q} --name {params.name:q} "
        "--output {params.package:q} > {log:q} 2>&1"
