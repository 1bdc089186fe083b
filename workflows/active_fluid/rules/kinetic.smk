# The truth: kinetic runs that closures learn from and are judged by.
rule generate_runs:
    output:
        runs="<results>/{set}/generate/trajectories.safetensors",
        provenance="<results>/{set}/generate/provenance.json",
    log:
        "<logs>/{set}/generate.log",
    benchmark:
        "<benchmarks>/{set}/generate.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
        gpu=1,
    params:
        config=stage_config("active_fluid", "generate", "set"),
        code=declared("sciml.active_fluid.stages.generate"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml active-fluid stage generate --config {params.config:q} --output {params.folder:q} --threads {threads} "
        "--gpu {resources.gpu} > {log:q} 2>&1"
