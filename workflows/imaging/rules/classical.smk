# Measurements and the classical methods for every task of a study: STUDY is the family whose settings say which and how.


rule reconstruct_problems:
    output:
        measurements="<results>/{task}/measure/measurements.safetensors",
        measured="<results>/{task}/measure/provenance.json",
        parameters="<results>/{task}/tune/parameters.json",
        tuned="<results>/{task}/tune/provenance.json",
        reconstructions="<results>/{task}/solve/reconstructions.safetensors",
        solved="<results>/{task}/solve/provenance.json",
    log:
        "<logs>/{task}/reconstruct.log",
    benchmark:
        "<benchmarks>/{task}/reconstruct.tsv"
    resources:
        **needs(4000, 120, gpu=1),
    params:
        **stage(
            "imaging", "reconstruct", "task", settings=f"{STUDY}.reconstruct", levels=2
        ),
    shell:
        stage_command(gpu=True)
