# Vectors against scalar symbols: models with groups behind the scalar one of this run, from the same crops, on validation pictures.
rule fit_vectors:
    input:
        base="<results>/photo/fit/model.safetensors",
    output:
        weights="<results>/photo/vectors/{structure}/model.safetensors",
        provenance="<results>/photo/vectors/{structure}/provenance.json",
    log:
        "<logs>/photo/vectors-{structure}.log",
    benchmark:
        "<benchmarks>/photo/vectors-{structure}.tsv"
    resources:
        **needs(6000, 90),
    params:
        **stage("compression", "fit_vectors", "structure"),
    shell:
        stage_command("base")


rule compare_vectors:
    input:
        base="<results>/photo/fit/model.safetensors",
        weights=expand(rules.fit_vectors.output.weights, structure=STRUCTURES),
    output:
        bench="<results>/photo/compare_vectors/bench.json",
        rows="<results>/photo/compare_vectors/bench.csv",
        structures="<results>/photo/compare_vectors/structures.json",
        provenance="<results>/photo/compare_vectors/provenance.json",
    log:
        "<logs>/photo/compare_vectors.log",
    benchmark:
        "<benchmarks>/photo/compare_vectors.tsv"
    resources:
        **needs(3000, 30),
    params:
        **stage("compression", "compare_vectors"),
        weights=each("weights"),
    shell:
        stage_command("base", "{params.weights}")
