# From photographs to pictures: the grid of priors and error models on the pairs of every set.
rule simulate_pairs:
    output:
        pairs="<results>/{set}/simulate/pairs.safetensors",
        provenance="<results>/{set}/simulate/provenance.json",
    log:
        "<logs>/{set}/simulate.log",
    benchmark:
        "<benchmarks>/{set}/simulate.tsv"
    resources:
        **needs(2000, 10),
    params:
        **stage("deblurring", "simulate", "set"),
    shell:
        stage_command()


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
    resources:
        **needs(2000, 60, gpu=1),
    params:
        **stage("deblurring", "correct", "set"),
    shell:
        stage_command("pairs", PHOTOGRAPH, gpu=True)


rule tune_prior:
    input:
        pairs=expand(rules.simulate_pairs.output.pairs, set="validation"),
        kernels=every(rules.correct_kernels.output.kernels, "validation"),
        prior=lambda wildcards: files_behind(prior_of(wildcards)),
    output:
        weights="<results>/tune/{prior}/weights.json",
        provenance="<results>/tune/{prior}/provenance.json",
    log:
        "<logs>/tune/{prior}.log",
    benchmark:
        "<benchmarks>/tune/{prior}.tsv"
    resources:
        **needs(2000, 60, gpu=1),
    params:
        **stage("deblurring", "tune", prior_of, beside=module_behind),
        kernels=each("kernels"),
    shell:
        stage_command("pairs", "{params.kernels}", gpu=True)


rule restore_pairs:
    input:
        pairs=rules.simulate_pairs.output.pairs,
        kernels=rules.correct_kernels.output.kernels,
        weights=expand(rules.tune_prior.output.weights, prior=sorted(PRIORS)),
        priors=files_behind(*PRIORS.values()),
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
        **stage("deblurring", "restore", "set", beside=modules_behind),
        weights=lambda wildcards, input: " ".join(
            f"--weights {name}={path}"
            for (_, name), path in zip(sorted(PRIORS.items()), input.weights)
        ),
    shell:
        stage_command("pairs", PHOTOGRAPH, "kernels", "{params.weights}", gpu=True)


rule evaluate_pairs:
    input:
        pairs=rules.simulate_pairs.output.pairs,
        kernels=every(rules.correct_kernels.output.kernels),
        pictures=every(rules.restore_pairs.output.pictures),
    output:
        scores=shown("deblurring", "scores", "<results>/{set}/evaluate/scores.json"),
        provenance="<results>/{set}/evaluate/provenance.json",
    log:
        "<logs>/{set}/evaluate.log",
    benchmark:
        "<benchmarks>/{set}/evaluate.tsv"
    resources:
        **needs(2000, 20),
    params:
        **stage("deblurring", "evaluate"),
        kernels=each("kernels"),
        pictures=each(restored="pictures"),
    shell:
        stage_command("pairs", "{params.pictures} {params.kernels}")
