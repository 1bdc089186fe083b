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
        config=stage_config("proximal", "measure", "task"),
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
        config=stage_config("proximal", "tune", "task"),
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
        config=stage_config("proximal", "solve", "task"),
        code=declared("sciml.classical.stages.solve"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml imaging stage solve --config {params.config:q} --measurements {input.measurements:q} "
        "--parameters {input.parameters:q} --output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule restore_problems:
    input:
        measurements=rules.measure_pictures.output.measurements,
        weights=lambda wildcards: [
            weights_of(name) for name in SETTINGS.proximal.networks[wildcards.task]
        ],
    output:
        reconstructions="<results>/{task}/restore/reconstructions.safetensors",
        runs="<results>/{task}/restore/runs.json",
        provenance="<results>/{task}/restore/provenance.json",
    log:
        "<logs>/{task}/restore.log",
    benchmark:
        "<benchmarks>/{task}/restore.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
        gpu=1,
    params:
        config=stage_config("proximal", "restore", "task"),
        files=package_files,
        code=declared("sciml.proximal.stages.restore"),
        folder=folder_of,
        weights=lambda wildcards, input: " ".join(
            f"--weights {path}" for path in input.weights
        ),
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml proximal stage restore --config {params.config:q} --measurements {input.measurements:q} {params.weights} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule evaluate_reconstructions:
    input:
        measurements=rules.measure_pictures.output.measurements,
        classical=rules.solve_problems.output.reconstructions,
        learned=rules.restore_problems.output.reconstructions,
    output:
        metrics=report(
            "<results>/{task}/evaluate/metrics.json",
            caption="../report/metrics.rst",
            category="proximal",
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
        config=stage_config("proximal", "evaluate", "task"),
        code=declared("sciml.proximal.stages.evaluate"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml proximal stage evaluate --config {params.config:q} --measurements {input.measurements:q} "
        "--classical {input.classical:q} --learned {input.learned:q} --output {params.folder:q} --threads {threads} > {log:q} 2>&1"
