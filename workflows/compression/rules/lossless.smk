# Without loss: the model from the training photographs, and other codecs by the same bounds on every domain.
rule fit_lossless:
    output:
        weights="<results>/lossless/fit/model.safetensors",
        provenance="<results>/lossless/fit/provenance.json",
    log:
        "<logs>/lossless/fit.log",
    benchmark:
        "<benchmarks>/lossless/fit.tsv"
    resources:
        **needs(4000, 30),
    params:
        **stage("compression", "fit_lossless"),
    shell:
        stage_command()


rule compare_lossless:
    input:
        weights=lossless_model,
        runs=stores("test"),
    output:
        numbers="<results>/lossless/compare/lossless.json",
        provenance="<results>/lossless/compare/provenance.json",
    log:
        "<logs>/lossless/compare.log",
    benchmark:
        "<benchmarks>/lossless/compare.tsv"
    resources:
        **needs(3000, 30),
    params:
        **stage("compression", "compare_lossless"),
        runs=runs_option,
    shell:
        stage_command("weights", "{params.runs}")


rule publish_lossless:
    input:
        weights=rules.fit_lossless.output.weights,
        bench=rules.compare_lossless.output.numbers,
        neural=[],
    output:
        done=touch("<results>/publish/lossless"),
    log:
        "<logs>/lossless/publish.log",
    params:
        **program("compression", "publish"),
        curves="",
        package=PACKAGE_MODELS,
    shell:
        PUBLISH
