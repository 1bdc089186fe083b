# Our models beside the classical codecs, on test pictures, from the sizes of files.
rule compare_codecs:
    input:
        weights=lambda wildcards: compared_model(wildcards.domain),
        neural=neural_of,
        photo=photo_of,
        runs=runs_of("test"),
    output:
        bench=shown("compression", "bench", "<results>/{domain}/evaluate/bench.json"),
        rows="<results>/{domain}/evaluate/bench.csv",
        provenance="<results>/{domain}/evaluate/provenance.json",
    log:
        "<logs>/{domain}/evaluate.log",
    benchmark:
        "<benchmarks>/{domain}/evaluate.tsv"
    # two short jobs side by side rather than two processes of one
    threads: 1 if SETTINGS.tier in ("ci", "demo") else 2
    resources:
        **needs(3000, 60),
    params:
        **stage("compression", "evaluate", "domain"),
        neural=each("neural"),
        runs=runs_option,
    shell:
        stage_command("weights", "{params.neural} {params.runs}")


# Our models beside more codecs on crops of photographs chosen by a rule; with the package's models, what was measured when they
# were made, of which a sample is measured again.
rule judge_codecs:
    input:
        weights=compared_model(MAIN),
        neural=lambda wildcards: neural_models(MAIN),
        before=shipped_curves(),
    output:
        curves=shown("compression", "curves", f"<results>/{MAIN}/judge/curves.json"),
        provenance=f"<results>/{MAIN}/judge/provenance.json",
    log:
        f"<logs>/{MAIN}/judge.log",
    benchmark:
        f"<benchmarks>/{MAIN}/judge.tsv"
    threads: 1 if SETTINGS.tier in ("ci", "demo") else 2
    resources:
        **needs(3000, 180),
    params:
        **stage("compression", "judge"),
        neural=each("neural"),
        before=each("before"),
    shell:
        stage_command("weights", "{params.neural} {params.before}")
