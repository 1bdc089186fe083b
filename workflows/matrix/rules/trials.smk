# One job a group of methods and domain of pictures, and one a method of a user's own: coarse enough to start seldom, and an edit
# of one method's code repeats its job alone.


rule run_classical:
    output:
        trials="<results>/classical/{domain}/trials.json",
        pictures="<results>/classical/{domain}/pictures.safetensors",
        provenance="<results>/classical/{domain}/provenance.json",
    log:
        "<logs>/classical-{domain}.log",
    benchmark:
        "<benchmarks>/classical-{domain}.tsv"
    resources:
        **needs(4000, 120),
    params:
        **stage("matrix", "classical", "domain", methods=lambda wildcards: []),
    shell:
        stage_command()


use rule run_classical as run_own with:
    output:
        trials="<results>/own/{method}/trials.json",
        pictures="<results>/own/{method}/pictures.safetensors",
        provenance="<results>/own/{method}/provenance.json",
    log:
        "<logs>/own-{method}.log",
    benchmark:
        "<benchmarks>/own-{method}.tsv"
    params:
        **stage(
            "matrix",
            "classical",
            "method",
            settings="own",
            methods=lambda wildcards: [wildcards.method],
        ),


use rule run_classical as run_prior with:
    input:
        weights=lambda wildcards: [
            os.path.relpath(path) for path in prior_sources(PRIORS[wildcards.prior])[1]
        ],
    output:
        trials="<results>/priors/{prior}/trials.json",
        pictures="<results>/priors/{prior}/pictures.safetensors",
        provenance="<results>/priors/{prior}/provenance.json",
    log:
        "<logs>/prior-{prior}.log",
    benchmark:
        "<benchmarks>/prior-{prior}.tsv"
    params:
        **stage(
            "matrix",
            "classical",
            lambda wildcards: PRIORS[wildcards.prior],
            settings="prior",
            methods=lambda wildcards: [],
            beside=lambda wildcards: [prior_sources(PRIORS[wildcards.prior])[0]],
        ),


rule run_learned:
    input:
        weights=network_files,
    output:
        trials="<results>/learned/{domain}/trials.json",
        pictures="<results>/learned/{domain}/pictures.safetensors",
        provenance="<results>/learned/{domain}/provenance.json",
    log:
        "<logs>/learned-{domain}.log",
    benchmark:
        "<benchmarks>/learned-{domain}.tsv"
    resources:
        **needs(4000, 240),
    params:
        **stage("matrix", "learned", "domain", methods=lambda wildcards: []),
        weights=each("weights"),
    shell:
        stage_command("{params.weights}")


rule run_kernel:
    input:
        weights=f"{PACKAGE_WEIGHTS}/photo-deblur.safetensors",
    output:
        trials="<results>/kernel/trials.json",
        pictures="<results>/kernel/pictures.safetensors",
        provenance="<results>/kernel/provenance.json",
    log:
        "<logs>/kernel.log",
    benchmark:
        "<benchmarks>/kernel.tsv"
    resources:
        **needs(4000, 240),
    params:
        **stage(
            "matrix",
            "kernel",
            methods=lambda wildcards: [],
            beside=lambda wildcards: [prior_sources("lpn")[0]],
        ),
    shell:
        stage_command("weights")


TRIED = [
    *expand(rules.run_classical.output, domain=DOMAINS),
    *expand(rules.run_own.output, method=OWN),
    *expand(rules.run_prior.output, prior=PRIORS),
    *expand(rules.run_learned.output, domain=DOMAINS),
    *(rules.run_kernel.output if SETTINGS.matrix.inexact() else []),
]
TRIALS = [path for path in TRIED if path.endswith("trials.json")]
