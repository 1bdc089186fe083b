# What is learned: the latent space, the diffusion models by form, the courses of volumes; and the model files they make.
rule train_autoencoder:
    input:
        **COHORT,
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
        **needs(6000, 240, gpu=1),
    params:
        **stage("progression", "train_autoencoder"),
        folders=folders(cohort="header"),
    shell:
        stage_command("{params.folders}", gpu=True)


rule train_diffusion:
    input:
        **COHORT,
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
        **needs(6000, 240, gpu=1),
    params:
        **stage("progression", "train_diffusion", "form"),
        folders=folders(cohort="header"),
    shell:
        stage_command("{params.folders}", "autoencoder", gpu=True)


rule train_controlnet:
    input:
        **COHORT,
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
        **needs(6000, 240, gpu=1),
    params:
        **stage("progression", "train_controlnet", "form", settings="train_control"),
        folders=folders(cohort="header"),
    shell:
        stage_command("{params.folders}", "autoencoder", "diffusion", gpu=True)


rule fit_courses:
    input:
        **TABLES,
    output:
        weights="<results>/course/course.safetensors",
        intervals=shown("progression", "intervals", "<results>/course/intervals.json"),
        provenance="<results>/course/provenance.json",
    log:
        "<logs>/course.log",
    benchmark:
        "<benchmarks>/course.tsv"
    resources:
        **needs(2000, 20),
    params:
        **stage("progression", "fit_course"),
        folders=folders(cohort="header"),
    shell:
        program_command(SLICE, "{params.folders} --output {params.folder:q}")


rule fit_motion:
    input:
        **COHORT,
        course=rules.fit_courses.output.weights,
    output:
        weights="<results>/motion/flow.safetensors",
        provenance="<results>/motion/provenance.json",
    log:
        "<logs>/motion.log",
    benchmark:
        "<benchmarks>/motion.tsv"
    resources:
        **needs(2000, 60),
    params:
        **stage("progression", "fit_motion"),
        folders=folders(cohort="header"),
    shell:
        stage_command("{params.folders}", "course")


rule assemble_models:
    input:
        autoencoder=rules.train_autoencoder.output.weights,
        denoisers=[denoiser_of(form) for form in FORMS],
        course=rules.fit_courses.output.weights,
    output:
        weights=expand("<results>/models/{form}.safetensors", form=FORMS),
    log:
        "<logs>/models.log",
    resources:
        **needs(2000, 10),
    params:
        **program("progression", "assemble"),
        denoisers=by_form("denoiser", FORMS, "denoisers"),
        folder=folder_of(),
    shell:
        program_command(
            "autoencoder", "course", "{params.denoisers} --output {params.folder:q}"
        )


rule predict_pairs:
    input:
        **COHORT,
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
        **needs(6000, 120, gpu=1),
    params:
        **stage("progression", "predict"),
        folders=folders(cohort="header"),
        models=by_form("model", FORMS, "models"),
    shell:
        stage_command("{params.folders} {params.models}", gpu=True)


rule evaluate_forecasts:
    input:
        **CALIBRATION,
        header="<results>/cohort/cohort.json",
        subjects=ancient("<results>/cohort/subjects"),
        model=model_of(MAIN_FORM),
        pairs=rules.predict_pairs.output.pairs,
        variants=rules.predict_pairs.output.variants,
        flow=flow_model(),
    output:
        metrics=shown("progression", "evaluate", "<results>/evaluate/metrics.json"),
        changes="<results>/evaluate/changes.safetensors",
        provenance="<results>/evaluate/provenance.json",
    log:
        "<logs>/evaluate.log",
    benchmark:
        "<benchmarks>/evaluate.tsv"
    threads: 2
    resources:
        **needs(6000, 120, gpu=1),
    params:
        **stage("progression", "evaluate"),
        folders=folders(cohort="header", calibration="calibration", predictions="pairs"),
    shell:
        stage_command("{params.folders}", "model", "flow", gpu=True)


# one real brain, where the data tier has it
rule forecast_person:
    input:
        **CALIBRATION,
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
        **needs(6000, 60, gpu=1),
    params:
        **stage("progression", "person"),
        folders=folders(calibration="calibration"),
    shell:
        stage_command("{params.folders}", "model", gpu=True)


# make weights FAMILY=progression
rule publish_motion:
    input:
        weights="<results>/motion/flow.safetensors",
        metrics=rules.evaluate_forecasts.output.metrics,
    output:
        done=touch("<results>/publish/motion"),
    log:
        "<logs>/publish_motion.log",
    params:
        **program("progression", "publish"),
        name=models.SHIPPED_MOTION,
        package=PACKAGE_MODELS,
    shell:
        program_command(
            "weights", "metrics", "--name {params.name:q} --output {params.package:q}"
        )


use rule publish_motion as publish_weights with:
    input:
        weights=f"<results>/models/{MAIN_FORM}.safetensors",
        metrics=rules.evaluate_forecasts.output.metrics,
        motion=rules.publish_motion.output.done,
    output:
        done=touch("<results>/publish/published"),
    log:
        "<logs>/publish.log",
    params:
        **program("progression", "publish"),
        name=models.SHIPPED_MODEL,
        package=PACKAGE_MODELS,


# what a study learns; models that come with the package are not made
LEARNED = list(rules.fit_courses.output)
if any(map(is_made, map(model_of, FORMS))):
    LEARNED += [
        *rules.train_autoencoder.output,
        *expand(rules.train_diffusion.output, form=FORMS),
        *expand(
            rules.train_controlnet.output,
            form=[form for form in FORMS if "/controlnet/" in denoiser_of(form)],
        ),
        *rules.assemble_models.output,
    ]
if is_made(flow_model()):
    LEARNED += rules.fit_motion.output
