# The truth: kinetic runs that closures learn from and are judged by.
rule generate_runs:
    output:
        runs="<results>/{set}/generate/trajectories.safetensors",
        provenance="<results>/{set}/generate/provenance.json",
    log:
        "<logs>/{set}/generate.log",
    benchmark:
        "<benchmarks>/{set}/generate.tsv"
    resources:
        **needs(4000, 120, gpu=1),
    params:
        **stage("active_fluid", "generate", "set"),
    shell:
        stage_command(gpu=True)
