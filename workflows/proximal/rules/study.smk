rule certify_networks:
    input:
        weights=[weights_of(name) for name in CERTIFIED],
    output:
        certificates="<results>/certify/certificates.json",
        provenance="<results>/certify/provenance.json",
    log:
        "<logs>/certify.log",
    benchmark:
        "<benchmarks>/certify.tsv"
    resources:
        **needs(3000, 20),
    params:
        **stage("proximal", "certify"),
        weights=each("weights"),
    shell:
        stage_command("{params.weights}")


rule study_small_networks:
    output:
        errors="<results>/toy/toy.json",
        curves="<results>/toy/toy.safetensors",
        toy="<results>/toy/provenance.json",
        numbers="<results>/digits/digits.json",
        weights="<results>/digits/digits.safetensors",
        pictures="<results>/digits/strips.safetensors",
        history="<results>/digits/history.csv",
        digits="<results>/digits/provenance.json",
    log:
        "<logs>/theory.log",
    benchmark:
        "<benchmarks>/theory.tsv"
    resources:
        **needs(3000, 60),
    params:
        **stage("proximal", "theory", levels=2),
    shell:
        stage_command()


rule study_prior:
    input:
        photo=weights_of("photo-grey"),
        ct=weights_of("ct"),
    output:
        numbers="<results>/prior/prior.json",
        pictures="<results>/prior/pictures.safetensors",
        provenance="<results>/prior/provenance.json",
    log:
        "<logs>/prior.log",
    benchmark:
        "<benchmarks>/prior.tsv"
    resources:
        **needs(3000, 30, gpu=1),
    params:
        **stage("proximal", "prior"),
    shell:
        stage_command("photo", "ct", gpu=True)


rule study_colour:
    input:
        colour=weights_of("photo-colour-guided"),
        grey=weights_of("photo-grey"),
    output:
        numbers="<results>/colour/colour.json",
        pictures="<results>/colour/pictures.safetensors",
        provenance="<results>/colour/provenance.json",
    log:
        "<logs>/colour.log",
    benchmark:
        "<benchmarks>/colour.tsv"
    resources:
        **needs(3000, 30, gpu=1),
    params:
        **stage("proximal", "colour"),
    shell:
        stage_command("colour", "grey", gpu=True)


rule write_page:
    input:
        metrics=rules.evaluate_reconstructions.output.metrics,
        certificates=rules.certify_networks.output.certificates,
        theory=rules.study_small_networks.output.numbers,
        prior=rules.study_prior.output.numbers,
        colour=rules.study_colour.output.numbers,
        histories=expand(rules.train_network.output.history, model=MODELS),
        weights=[weights_of(name) for name in COMPARED],
    output:
        **page_files("proximal"),
    log:
        "<logs>/report.log",
    resources:
        **needs(3000, 10),
    params:
        **stage("proximal", "report"),
        results=above("certificates", 2),
    shell:
        page_command()
