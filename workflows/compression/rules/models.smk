# Models: simulated fields to learn from, rules and tables by least squares and counting, then a network by gradient steps.
rule simulate_fields:
    output:
        store=directory("<results>/runs/{role}/{run}.zarr"),
    log:
        "<logs>/runs/{role}/{run}.log",
    benchmark:
        "<benchmarks>/runs/{role}/{run}.tsv"
    resources:
        **needs(2000, 30),
    params:
        run=simulate_options,
        command="active-fluid simulate",
        code=declared("sciml.active_fluid.solvers.simulation"),
        files=package_files,
    shell:
        program_command("{params.run} --threads {threads} --out {output.store:q}")


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
        weights=trained_model_of,
        bench="<results>/{domain}/evaluate/bench.json",
        neural=trained_neural_of,
    output:
        done=touch("<results>/publish/{domain}"),
    log:
        "<logs>/{domain}/publish.log",
    params:
        **program("compression", "publish"),
        package=PACKAGE_MODELS,
    shell:
        PUBLISH


rule publish_weights:
    input:
        expand(rules.publish_model.output.done, domain=DOMAINS),
    output:
        done=touch("<results>/publish/published"),
