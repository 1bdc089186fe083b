# What a closure is good for: long runs, growth rates, inference, time; and the page.
rule run_long:
    input:
        weights=chosen_weights(),
    output:
        numbers="<results>/stability/stability.json",
        provenance="<results>/stability/provenance.json",
    log:
        "<logs>/stability.log",
    benchmark:
        "<benchmarks>/stability.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=120,
        gpu=1,
    params:
        config=stage_config("active_fluid", "stability"),
        files=package_files,
        code=declared("sciml.active_fluid.stages.stability"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml active-fluid stage stability --config {params.config:q} --weights {input.weights:q} --output {params.folder:q} "
        "--threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule infer_parameters:
    input:
        weights=chosen_weights(),
    output:
        numbers="<results>/recover/recovery.json",
        provenance="<results>/recover/provenance.json",
    log:
        "<logs>/recover.log",
    benchmark:
        "<benchmarks>/recover.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=120,
        gpu=1,
    params:
        config=stage_config("active_fluid", "recover"),
        files=package_files,
        code=declared("sciml.active_fluid.stages.recover"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml active-fluid stage recover --config {params.config:q} --weights {input.weights:q} --output {params.folder:q} "
        "--threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule measure_rates:
    input:
        weights=chosen_weights(),
    output:
        numbers="<results>/theory/rates.json",
        provenance="<results>/theory/provenance.json",
    log:
        "<logs>/theory.log",
    benchmark:
        "<benchmarks>/theory.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        config=stage_config("active_fluid", "theory"),
        files=package_files,
        code=declared("sciml.active_fluid.stages.theory"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml active-fluid stage theory --config {params.config:q} --weights {input.weights:q} --output {params.folder:q} "
        "--threads {threads} > {log:q} 2>&1"


rule measure_cost:
    input:
        weights=chosen_weights(),
    output:
        numbers="<results>/cost/cost.json",
        provenance="<results>/cost/provenance.json",
    log:
        "<logs>/cost.log",
    benchmark:
        "<benchmarks>/cost.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=20,
        gpu=1,
    params:
        config=stage_config("active_fluid", "cost"),
        files=package_files,
        code=declared("sciml.active_fluid.stages.cost"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml active-fluid stage cost --config {params.config:q} --weights {input.weights:q} --output {params.folder:q} "
        "--threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule write_page:
    input:
        scores=rules.evaluate_closures.output.scores,
        stability=rules.run_long.output.numbers,
        recovery=rules.infer_parameters.output.numbers,
        rates=rules.measure_rates.output.numbers,
        cost=rules.measure_cost.output.numbers,
    output:
        page=report(
            "<reports>/active_fluid.html",
            caption="../report/page.rst",
            category="active fluid",
        ),
        record="<reports>/active_fluid.report.json",
    log:
        "<logs>/report.log",
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        config=stage_config("active_fluid", "report"),
        code=declared("sciml.active_fluid.stages.report"),
        results=lambda wildcards, input: os.path.dirname(os.path.dirname(input.scores)),
    shell:
        "SCIML_DECLARED={params.code:q} sciml active-fluid stage report --config {params.config:q} --results {params.results:q} --output {output.page:q} > {log:q} 2>&1"
