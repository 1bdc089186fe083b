# Measurements and the classical methods for every task of a study: STUDY is the family whose settings say which and how.


rule measure_pictures:
    output:
        measurements="<results>/{task}/measure/measurements.safetensors",
        provenance="<results>/{task}/measure/provenance.json",
    log:
        "<logs>/{task}/measure.log",
    benchmark:
        "<benchmarks>/{task}/measure.tsv"
    resources:
        **needs(3000, 10),
    params:
        **stage("imaging", "measure", "task", settings=f"{STUDY}.measure"),
    shell:
        stage_command()


rule tune_methods:
    input:
        measurements=rules.measure_pictures.output.measurements,
    output:
        parameters="<results>/{task}/tune/parameters.json",
        provenance="<results>/{task}/tune/provenance.json",
    log:
        "<logs>/{task}/tune.log",
    benchmark:
        "<benchmarks>/{task}/tune.tsv"
    resources:
        **needs(4000, 60, gpu=1),
    params:
        **stage("imaging", "tune", "task", settings=f"{STUDY}.tune"),
    shell:
        stage_command("measurements", gpu=True)


rule solve_problems:
    input:
        measurements=rules.measure_pictures.output.measurements,
        parameters=rules.tune_methods.output.parameters,
    output:
        reconstructions="<results>/{task}/solve/reconstructions.safetensors",
        provenance="<results>/{task}/solve/provenance.json",
    log:
        "<logs>/{task}/solve.log",
    benchmark:
        "<benchmarks>/{task}/solve.tsv"
    resources:
        **needs(4000, 60, gpu=1),
    params:
        **stage("imaging", "solve", "task", settings=f"{STUDY}.solve"),
    shell:
        stage_command("measurements", "parameters", gpu=True)
