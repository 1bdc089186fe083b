rule check_operators:
    output:
        checks="<results>/check/checks.json",
        provenance="<results>/check/provenance.json",
    log:
        "<logs>/check.log",
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        **stage("imaging", "check"),
    shell:
        stage_command()


rule measure_pictures:
    output:
        measurements="<results>/{task}/measure/measurements.safetensors",
        provenance="<results>/{task}/measure/provenance.json",
    log:
        "<logs>/{task}/measure.log",
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        **stage("imaging", "measure", "task"),
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
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
        gpu=1,
    params:
        **stage("imaging", "tune", "task"),
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
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
        gpu=1,
    params:
        **stage("imaging", "solve", "task"),
    shell:
        stage_command("measurements", "parameters", gpu=True)


rule evaluate_reconstructions:
    input:
        measurements=rules.measure_pictures.output.measurements,
        reconstructions=rules.solve_problems.output.reconstructions,
    output:
        metrics=report(
            "<results>/{task}/evaluate/metrics.json",
            caption="../report/metrics.rst",
            category="imaging",
            labels={"task": "{task}"},
        ),
        provenance="<results>/{task}/evaluate/provenance.json",
    log:
        "<logs>/{task}/evaluate.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        **stage("imaging", "evaluate", "task"),
    shell:
        stage_command("measurements", "reconstructions")
