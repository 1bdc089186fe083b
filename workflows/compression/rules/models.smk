# Models: simulated fields to learn from, rules and tables by least squares and counting, then a network by gradient steps.
rule simulate_fields:
    output:
        stores=[directory(store) for store in RUNS],
    log:
        "<logs>/runs.log",
    benchmark:
        "<benchmarks>/runs.tsv"
    resources:
        **needs(2000, 30),
    params:
        runs=simulations,
        command="active-fluid simulate",
        code=declared("sciml.active_fluid.solvers.simulation"),
        files=package_files,
    shell:
        f'( simulate() {{{{ {CALL} --threads {{threads}} "$@"; }}}}; {{params.runs}} ) {LOG}'


rule fit_model:
    input:
        runs=runs_of("train"),
    output:
        weights="<results>/{domain}/fit/model.safetensors",
        provenance="<results>/{domain}/fit/provenance.json",
    log:
        "<logs>/{domain}/fit.log",
    benchmark:
        "<benchmarks>/{domain}/fit.tsv"
    resources:
        **needs(6000, 90),
    params:
        **stage("compression", "fit", "domain"),
        runs=runs_option,
    shell:
        stage_command("{params.runs}")


rule train_network:
    input:
        base=rules.fit_model.output.weights,
        runs=runs_of("train", "validation"),
    output:
        weights="<results>/{domain}/train/model.safetensors",
        history="<results>/{domain}/train/history.csv",
        provenance="<results>/{domain}/train/provenance.json",
    log:
        "<logs>/{domain}/train.log",
    benchmark:
        "<benchmarks>/{domain}/train.tsv"
    resources:
        **needs(6000, 180, gpu=1),
    params:
        **stage("compression", "train", "domain"),
        runs=runs_option,
    shell:
        stage_command("base", "{params.runs}", gpu=True)


# Networks on both sides of vector codebooks, trained end to end.
rule train_neural:
    output:
        weights="<results>/{domain}/neural/model.safetensors",
        history="<results>/{domain}/neural/history.csv",
        provenance="<results>/{domain}/neural/provenance.json",
    log:
        "<logs>/{domain}/neural.log",
    benchmark:
        "<benchmarks>/{domain}/neural.tsv"
    resources:
        **needs(6000, 180, gpu=1),
    params:
        **stage("compression", "train_neural", "domain"),
    shell:
        stage_command(gpu=True)


rule publish_model:
    input:
        weights=lambda wildcards: trained_model(wildcards.domain),
        bench="<results>/{domain}/evaluate/bench.json",
        neural=trained_neural_of,
        curves=lambda wildcards: judged() if wildcards.domain == MAIN else [],
    output:
        done=touch("<results>/publish/{domain}"),
    log:
        "<logs>/{domain}/publish.log",
    params:
        **program("compression", "publish"),
        curves=each("curves"),
        package=PACKAGE_MODELS,
    shell:
        PUBLISH


rule publish_weights:
    input:
        expand(rules.publish_model.output.done, domain=DOMAINS),
        "<results>/publish/lossless",
    output:
        done=touch("<results>/publish/published"),
