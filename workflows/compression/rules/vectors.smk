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
    threads: 1
    resources:
        mem_mb=6000,
        runtime=90,
    params:
        config=stage_config("compression", "fit_vectors", "structure"),
        code=declared("sciml.compression.stages.fit_vectors"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml compression stage fit-vectors --config {params.config:q} --base {input.base:q} --output {params.folder:q} "
        "--threads {threads} > {log:q} 2>&1"


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
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        config=stage_config("compression", "compare_vectors"),
        code=declared("sciml.compression.stages.compare_vectors"),
        folder=folder_of,
        weights=lambda wildcards, input: " ".join(
            f"--weights {path}" for path in input.weights
        ),
    shell:
        "SCIML_DECLARED={params.code:q} sciml compression stage compare-vectors --config {params.config:q} --base {input.base:q} {params.weights} "
        "--output {params.folder:q} --threads {threads} > {log:q} 2>&1"
