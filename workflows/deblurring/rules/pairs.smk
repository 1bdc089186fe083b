# From photographs to pictures: the grid of priors and error models on the pairs of every set.
rule simulate_pairs:
    output:
        pairs="<results>/{set}/simulate/pairs.safetensors",
        provenance="<results>/{set}/simulate/provenance.json",
    log:
        "<logs>/{set}/simulate.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        config=stage_config("deblurring", "simulate", "set"),
        code=declared("sciml.deblurring.stages.simulate"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml deblurring stage simulate --config {params.config:q} --output {params.folder:q} --threads {threads} > {log:q} 2>&1"


rule correct_kernels:
    input:
        pairs=rules.simulate_pairs.output.pairs,
    output:
        kernels="<results>/{set}/{photo}/correct/kernels.safetensors",
        steps="<results>/{set}/{photo}/correct/steps.json",
        provenance="<results>/{set}/{photo}/correct/provenance.json",
    log:
        "<logs>/{set}/{photo}/correct.log",
    benchmark:
        "<benchmarks>/{set}/{photo}/correct.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=1,
    params:
        config=stage_config("deblurring", "correct", "set"),
        code=declared("sciml.deblurring.stages.correct"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml deblurring stage correct --config {params.config:q} --pairs {input.pairs:q} --photograph {wildcards.photo:q} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule tune_prior:
    input:
        pairs=expand(rules.simulate_pairs.output.pairs, set="validation"),
        kernels=each_photograph(rules.correct_kernels.output.kernels, "validation"),
        prior=lambda wildcards: sources_of([PRIORS[wildcards.prior]])[1],
    output:
        weights="<results>/tune/{prior}/weights.json",
        provenance="<results>/tune/{prior}/provenance.json",
    log:
        "<logs>/tune/{prior}.log",
    benchmark:
        "<benchmarks>/tune/{prior}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=1,
    params:
        config=lambda wildcards: slice_of(
            SETTINGS, "deblurring", "tune", PRIORS[wildcards.prior]
        ),
        files=package_files,
        code=declared_with(
            "sciml.deblurring.stages.tune",
            lambda wildcards: [PRIORS[wildcards.prior]],
        ),
        folder=folder_of,
        kernels=lambda wildcards, input: repeated("--kernels", input.kernels),
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml deblurring stage tune --config {params.config:q} --pairs {input.pairs:q} {params.kernels} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule restore_pairs:
    input:
        pairs=rules.simulate_pairs.output.pairs,
        kernels=rules.correct_kernels.output.kernels,
        weights=expand(rules.tune_prior.output.weights, prior=sorted(PRIORS)),
        priors=sources_of(PRIORS.values())[1],
    output:
        pictures="<results>/{set}/{photo}/restore/restored.safetensors",
        provenance="<results>/{set}/{photo}/restore/provenance.json",
    log:
        "<logs>/{set}/{photo}/restore.log",
    benchmark:
        "<benchmarks>/{set}/{photo}/restore.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
        gpu=1,
    params:
        config=stage_config("deblurring", "restore", "set"),
        files=package_files,
        code=declared_with(
            "sciml.deblurring.stages.restore", lambda wildcards: PRIORS.values()
        ),
        folder=folder_of,
        weights=lambda wildcards, input: " ".join(
            f"--weights {name}={path}"
            for (_, name), path in zip(sorted(PRIORS.items()), input.weights)
        ),
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml deblurring stage restore --config {params.config:q} --pairs {input.pairs:q} --photograph {wildcards.photo:q} "
        "--kernels {input.kernels:q} {params.weights} --output {params.folder:q} --threads {threads} --gpu {resources.gpu} "
        "> {log:q} 2>&1"


rule evaluate_pairs:
    input:
        pairs=rules.simulate_pairs.output.pairs,
        kernels=lambda wildcards: each_photograph(
            rules.correct_kernels.output.kernels, wildcards.set
        ),
        pictures=lambda wildcards: each_photograph(
            rules.restore_pairs.output.pictures, wildcards.set
        ),
    output:
        scores=report(
            "<results>/{set}/evaluate/scores.json",
            caption="../report/scores.rst",
            category="deblurring",
            labels={"set": "{set}"},
        ),
        provenance="<results>/{set}/evaluate/provenance.json",
    log:
        "<logs>/{set}/evaluate.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        config=stage_config("deblurring", "evaluate"),
        code=declared("sciml.deblurring.stages.evaluate"),
        folder=folder_of,
        kernels=lambda wildcards, input: repeated("--kernels", input.kernels),
        pictures=lambda wildcards, input: repeated("--restored", input.pictures),
    shell:
        "SCIML_DECLARED={params.code:q} sciml deblurring stage evaluate --config {params.config:q} --pairs {input.pairs:q} {params.pictures} {params.kernels} "
        "--output {params.folder:q} --threads {threads} > {log:q} 2>&1"
