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
        config=stage_config("imaging", "check"),
        code=declared("sciml.classical.stages.check"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml imaging stage check --config {params.config:q} --output {params.folder:q} --threads {threads} > {log:q} 2>&1"


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
        config=stage_config("imaging", "measure", "task"),
        code=declared("sciml.classical.stages.measure"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml imaging stage measure --config {params.config:q} --output {params.folder:q} --threads {threads} > {log:q} 2>&1"


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
        config=stage_config("imaging", "tune", "task"),
        code=declared("sciml.classical.stages.tune"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml imaging stage tune --config {params.config:q} --measurements {input.measurements:q} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


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
        config=stage_config("imaging", "solve", "task"),
        code=declared("sciml.classical.stages.solve"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml imaging stage solve --config {params.config:q} --measurements {input.measurements:q} "
        "--parameters {input.parameters:q} --output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


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
        config=stage_config("imaging", "evaluate", "task"),
        code=declared("sciml.classical.stages.evaluate"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml imaging stage evaluate --config {params.config:q} --measurements {input.measurements:q} "
        "--reconstructions {input.reconstructions:q} --output {params.folder:q} --threads {threads} > {log:q} 2>&1"
