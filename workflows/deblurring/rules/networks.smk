# Untrained networks: the published method and its relatives on a few pairs, and what each of their terms is worth.
rule fit_networks:
    input:
        pairs=expand(rules.simulate_pairs.output.pairs, set="test"),
        kernels=expand(
            rules.correct_kernels.output.kernels, set="test", allow_missing=True
        ),
        weights=expand(rules.tune_prior.output.weights, prior="tv"),
    output:
        runs="<results>/dip/{photo}/runs.json",
        pictures="<results>/dip/{photo}/pictures.safetensors",
        provenance="<results>/dip/{photo}/provenance.json",
    log:
        "<logs>/dip/{photo}.log",
    benchmark:
        "<benchmarks>/dip/{photo}.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
        gpu=1,
    params:
        config=stage_config("deblurring", "dip"),
        code=declared("sciml.deblurring.stages.dip"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml deblurring stage dip --config {params.config:q} --pairs {input.pairs:q} --photograph {wildcards.photo:q} "
        "--kernels {input.kernels:q} --weights {input.weights:q} --output {params.folder:q} --threads {threads} "
        "--gpu {resources.gpu} > {log:q} 2>&1"


use rule fit_networks as fit_ablations with:
    output:
        runs="<results>/ablations/{photo}/runs.json",
        pictures="<results>/ablations/{photo}/pictures.safetensors",
        provenance="<results>/ablations/{photo}/provenance.json",
    log:
        "<logs>/ablations/{photo}.log",
    benchmark:
        "<benchmarks>/ablations/{photo}.tsv"
    params:
        config=stage_config("deblurring", "ablate"),
        code=declared("sciml.deblurring.stages.dip"),
        folder=folder_of,


# the index of a run does not ask for this page, so it is written again here
rule write_ablations_page:
    input:
        runs=expand(
            rules.fit_ablations.output.runs, photo=fitted(SETTINGS.deblurring.ablate)
        ),
    output:
        page=report(
            "<reports>/deblurring-ablations.html",
            caption="../report/page.rst",
            category="deblurring",
        ),
        record="<reports>/deblurring-ablations.report.json",
    log:
        "<logs>/ablate-report.log",
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        config=stage_config("deblurring", "report"),
        code=declared("sciml.deblurring.stages.ablate_report"),
        folder=folder_of,
        results=lambda wildcards, input: os.path.dirname(os.path.dirname(input.runs[0])),
    shell:
        "( SCIML_DECLARED={params.code:q} sciml deblurring stage ablate-report --config {params.config:q} --results {params.results:q} "
        "--output {output.page:q} && sciml report index {params.folder:q} ) > {log:q} 2>&1"


rule ablations:
    input:
        rules.write_ablations_page.output,
