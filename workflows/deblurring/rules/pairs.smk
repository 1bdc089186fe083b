# From photographs to pictures: the grid of priors and error models on the pairs of every set.
rule simulate_pairs:
    output:
        pairs=expand(PAIRS, set=SETS),
        provenance=expand("<results>/{set}/simulate/provenance.json", set=SETS),
    log:
        "<logs>/simulate.log",
    benchmark:
        "<benchmarks>/simulate.tsv"
    resources:
        **needs(2000, 10),
    params:
        **stage("deblurring", "simulate", levels=3),
    shell:
        stage_command()


rule correct_kernels:
    input:
        pairs=PAIRS,
    output:
        kernels="<results>/{set}/{photo}/correct/kernels.safetensors",
        steps="<results>/{set}/{photo}/correct/steps.json",
        provenance="<results>/{set}/{photo}/correct/provenance.json",
    log:
        "<logs>/{set}/{photo}/correct.log",
    benchmark:
        "<benchmarks>/{set}/{photo}/correct.tsv"
    resources:
        **needs(2000, 60, gpu=1),
    params:
        **stage("deblurring", "correct", "set"),
    shell:
        stage_command("pairs", PHOTOGRAPH, gpu=True)


rule tune_priors:
    input:
        pairs=expand(PAIRS, set="validation"),
        kernels=every(rules.correct_kernels.output.kernels, "validation"),
        priors=PRIOR_FILES,
    output:
        weights=expand("<results>/tune/{prior}/weights.json", prior=PRIORS),
        provenance=expand("<results>/tune/{prior}/provenance.json", prior=PRIORS),
    log:
        "<logs>/tune.log",
    benchmark:
        "<benchmarks>/tune.tsv"
    resources:
        **needs(2000, 60, gpu=1),
    params:
        **stage("deblurring", "tune", beside=lambda wildcards: PRIOR_MODULES, levels=2),
        kernels=each("kernels"),
    shell:
        stage_command("pairs", "{params.kernels}", gpu=True)


rule restore_pairs:
    input:
        pairs=PAIRS,
        kernels=rules.correct_kernels.output.kernels,
        weights=rules.tune_priors.output.weights,
        priors=PRIOR_FILES,
    output:
        pictures="<results>/{set}/{photo}/restore/restored.safetensors",
        provenance="<results>/{set}/{photo}/restore/provenance.json",
    log:
        "<logs>/{set}/{photo}/restore.log",
    benchmark:
        "<benchmarks>/{set}/{photo}/restore.tsv"
    resources:
        **needs(3000, 60, gpu=1),
    params:
        **stage(
            "deblurring",
            "restore",
            "set",
            beside=lambda wildcards: PRIOR_MODULES,
            levels=2,
        ),
        weights=lambda wildcards, input: " ".join(
            f"--weights {name}={path}"
            for name, path in zip(PRIORS.values(), input.weights)
        ),
    shell:
        stage_command("pairs", PHOTOGRAPH, "kernels", "{params.weights}", gpu=True)


# of the two sets that decide, maps of spreads too
use rule restore_pairs as restore_and_map_pairs with:
    output:
        pictures=rules.restore_pairs.output.pictures,
        provenance=rules.restore_pairs.output.provenance,
        spreads="<results>/{set}/{photo}/spread/spreads.safetensors",
        spread_provenance="<results>/{set}/{photo}/spread/provenance.json",
    wildcard_constraints:
        set="|".join(DECIDING),


ruleorder: restore_and_map_pairs > restore_pairs


rule evaluate_pairs:
    input:
        pairs=rules.simulate_pairs.output.pairs,
        kernels=every(rules.correct_kernels.output.kernels, *SETS),
        pictures=every(rules.restore_pairs.output.pictures, *SETS),
        spreads=every(rules.restore_and_map_pairs.output.spreads, *DECIDING),
    output:
        scores=[
            shown("deblurring", "scores", f"<results>/{name}/evaluate/scores.json")
            for name in SETS
        ],
        provenance=expand("<results>/{set}/evaluate/provenance.json", set=SETS),
        calibration="<results>/calibrate/calibration.json",
        calibrate_provenance="<results>/calibrate/provenance.json",
    log:
        "<logs>/evaluate.log",
    benchmark:
        "<benchmarks>/evaluate.tsv"
    resources:
        **needs(3000, 20),
    params:
        **stage("deblurring", "evaluate", levels=3),
    shell:
        stage_command("--results {params.folder:q}")
