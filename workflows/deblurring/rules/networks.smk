# Untrained networks: the published method and its relatives on a few pairs, and what each of their terms is worth.
rule fit_networks:
    input:
        pairs=expand(PAIRS, set="test"),
        kernels=expand(
            rules.correct_kernels.output.kernels, set="test", allow_missing=True
        ),
        weights="<results>/tune/tv/weights.json",
    output:
        runs="<results>/dip/{photo}/runs.json",
        pictures="<results>/dip/{photo}/pictures.safetensors",
        provenance="<results>/dip/{photo}/provenance.json",
    log:
        "<logs>/dip/{photo}.log",
    benchmark:
        "<benchmarks>/dip/{photo}.tsv"
    resources:
        **needs(3000, 240, gpu=1),
    params:
        **stage("deblurring", "dip"),
    shell:
        stage_command("pairs", PHOTOGRAPH, "kernels", "weights", gpu=True)


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
        **stage("deblurring", "dip", settings="ablate"),


# the index of a run does not ask for this page, so it is written again here
rule write_ablations_page:
    input:
        runs=expand(rules.fit_ablations.output.runs, photo=fitted(ABLATIONS)),
    output:
        **page_files("deblurring-ablations"),
    log:
        "<logs>/ablate-report.log",
    resources:
        **needs(2000, 10),
    params:
        **stage("deblurring", "ablate_report", settings="report"),
        results=above("runs", 2),
    shell:
        page_command(index=True)


rule ablations:
    input:
        rules.write_ablations_page.output,
