# What is made of the restored pairs: maps of spreads, and the page.
rule map_spreads:
    input:
        pairs=rules.simulate_pairs.output.pairs,
        kernels=rules.correct_kernels.output.kernels,
        weights=expand(rules.tune_prior.output.weights, prior="tv"),
    output:
        spreads="<results>/{set}/{photo}/spread/spreads.safetensors",
        provenance="<results>/{set}/{photo}/spread/provenance.json",
    log:
        "<logs>/{set}/{photo}/spread.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=1,
    params:
        config=stage_config("deblurring", "spread"),
        code=declared("sciml.deblurring.stages.spread"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml deblurring stage spread --config {params.config:q} --pairs {input.pairs:q} --photograph {wildcards.photo:q} "
        "--kernels {input.kernels:q} --weights {input.weights:q} --output {params.folder:q} --threads {threads} "
        "--gpu {resources.gpu} > {log:q} 2>&1"


rule calibrate_spreads:
    input:
        validation=expand(rules.simulate_pairs.output.pairs, set="validation"),
        validation_pictures=each_photograph(
            rules.restore_pairs.output.pictures, "validation"
        ),
        validation_spreads=each_photograph(
            rules.map_spreads.output.spreads, "validation"
        ),
        test=expand(rules.simulate_pairs.output.pairs, set="test"),
        test_pictures=each_photograph(rules.restore_pairs.output.pictures, "test"),
        test_spreads=each_photograph(rules.map_spreads.output.spreads, "test"),
    output:
        numbers="<results>/calibrate/calibration.json",
        provenance="<results>/calibrate/provenance.json",
    log:
        "<logs>/calibrate.log",
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        config=stage_config("deblurring", "calibrate"),
        code=declared("sciml.deblurring.stages.calibrate"),
        folder=folder_of,
        files=lambda wildcards, input: " ".join(
            [
                repeated("--validation-restored", input.validation_pictures),
                repeated("--validation-spreads", input.validation_spreads),
                repeated("--restored", input.test_pictures),
                repeated("--spreads", input.test_spreads),
            ]
        ),
    shell:
        "SCIML_DECLARED={params.code:q} sciml deblurring stage calibrate --config {params.config:q} --validation {input.validation:q} --pairs {input.test:q} "
        "{params.files} --output {params.folder:q} --threads {threads} > {log:q} 2>&1"


rule sharpen_photograph:
    output:
        pictures="<results>/photo/pictures.safetensors",
        numbers="<results>/photo/photo.json",
        provenance="<results>/photo/provenance.json",
    log:
        "<logs>/photo.log",
    benchmark:
        "<benchmarks>/photo.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
        gpu=1,
    params:
        config=stage_config("deblurring", "photo"),
        code=declared("sciml.deblurring.stages.photo"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml deblurring stage photo --config {params.config:q} --output {params.folder:q} --threads {threads} "
        "--gpu {resources.gpu} > {log:q} 2>&1"


rule write_page:
    input:
        scores=expand(rules.evaluate_pairs.output.scores, set=sorted(SETS)),
        calibration=rules.calibrate_spreads.output.numbers,
        photo=rules.sharpen_photograph.output.numbers,
        networks=expand(
            rules.fit_networks.output.runs, photo=fitted(SETTINGS.deblurring.dip)
        ),
    output:
        page=report(
            "<reports>/deblurring.html",
            caption="../report/page.rst",
            category="deblurring",
        ),
        record="<reports>/deblurring.report.json",
    log:
        "<logs>/report.log",
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        config=stage_config("deblurring", "report"),
        code=declared("sciml.deblurring.stages.report"),
        results=lambda wildcards, input: os.path.dirname(
            os.path.dirname(input.calibration)
        ),
    shell:
        "SCIML_DECLARED={params.code:q} sciml deblurring stage report --config {params.config:q} --results {params.results:q} --output {output.page:q} > {log:q} 2>&1"
