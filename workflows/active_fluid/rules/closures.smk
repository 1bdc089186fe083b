# Learned closures: trained point by point and through the solver, judged on runs that none has seen.
rule train_closure:
    input:
        train=rules.generate_train.output.runs,
        validation=rules.generate_held_out.output.validation,
    output:
        weights=expand("<results>/train/{{closure}}/{seed}.safetensors", seed=SEEDS),
        history="<results>/train/{closure}/history.csv",
        provenance="<results>/train/{closure}/provenance.json",
    log:
        "<logs>/train/{closure}.log",
    benchmark:
        "<benchmarks>/train/{closure}.tsv"
    resources:
        **needs(4000, 180, gpu=1),
    params:
        **stage("active_fluid", "train", "closure", beside=own_modules),
    shell:
        stage_command("train", "validation", gpu=True)


rule evaluate_closures:
    input:
        test=rules.generate_held_out.output.test,
        weights=expand(rules.train_closure.output.weights, closure=CLOSURES),
        shipped=[SHIPPED] if SETTINGS.active_fluid.weights == "shipped" else [],
    output:
        scores=shown("active fluid", "scores", "<results>/evaluate/scores.json"),
        fields="<results>/evaluate/fields.safetensors",
        provenance="<results>/evaluate/provenance.json",
    log:
        "<logs>/evaluate.log",
    benchmark:
        "<benchmarks>/evaluate.tsv"
    resources:
        **needs(3000, 60, gpu=1),
    params:
        **stage("active_fluid", "evaluate", beside=own_modules),
        weights=named_weights,
    shell:
        stage_command("test", "{params.weights}", gpu=True)


rule publish_weights:
    input:
        weights=f"<results>/train/{SETTINGS.active_fluid.chosen}/0.safetensors",
        second=f"<results>/train/{SECOND}/0.safetensors" if SECOND else SHIPPED_SECOND,
        scores=rules.evaluate_closures.output.scores,
    output:
        done=touch("<results>/publish/published"),
    log:
        "<logs>/publish.log",
    params:
        **program("active_fluid", "publish"),
        package=PACKAGE_WEIGHTS,
    shell:
        program_command("weights", "second", "scores", "--output {params.package:q}")
