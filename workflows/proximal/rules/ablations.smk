# Design choices, on validation data alone: what `make ablations` asks for, and no part of the study.


use rule train_network as train_ablation with:
    output:
        weights="<results>/ablations/{model}/{model}.safetensors",
        history="<results>/ablations/{model}/history.csv",
        provenance="<results>/ablations/{model}/provenance.json",
    log:
        "<logs>/ablations/{model}.log",
    benchmark:
        "<benchmarks>/ablations/{model}.tsv"


rule compare_ablations:
    input:
        weights=expand(rules.train_ablation.output.weights, model=ABLATIONS)
        + [weights_of(name) for name in sorted(BEGUN)],
    output:
        numbers="<results>/ablate/ablations.json",
        table="<results>/ablate/ablations.csv",
        provenance="<results>/ablate/provenance.json",
    log:
        "<logs>/ablate.log",
    benchmark:
        "<benchmarks>/ablate.tsv"
    resources:
        **needs(3000, 60, gpu=1),
    params:
        **stage("proximal", "ablate"),
        weights=each("weights"),
    shell:
        stage_command("{params.weights}", gpu=True)


# the index of a run does not ask for this page, so it is written again here
rule write_ablations_page:
    input:
        numbers=rules.compare_ablations.output.numbers,
        provenance=rules.compare_ablations.output.provenance,
    output:
        **page_files("proximal-ablations"),
    log:
        "<logs>/ablate-report.log",
    resources:
        **needs(2000, 10),
    params:
        **stage("proximal", "ablate_report", settings="report"),
    shell:
        page_command("--table {input.numbers:q}", index=True)


rule ablations:
    input:
        rules.write_ablations_page.output,
