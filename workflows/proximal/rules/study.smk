rule certify_networks:
    input:
        weights=[weights_of(name) for name in CERTIFIED],
    output:
        certificates="<results>/certify/certificates.json",
        provenance="<results>/certify/provenance.json",
    log:
        "<logs>/certify.log",
    threads: 1
    resources:
        mem_mb=3000,
        runtime=20,
    params:
        config=stage_config("proximal", "certify"),
        files=package_files,
        code=declared("sciml.proximal.stages.certify"),
        folder=folder_of,
        weights=lambda wildcards, input: " ".join(
            f"--weights {path}" for path in input.weights
        ),
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml proximal stage certify --config {params.config:q} {params.weights} --output {params.folder:q} "
        "--threads {threads} > {log:q} 2>&1"


rule study_small_priors:
    output:
        errors="<results>/toy/toy.json",
        curves="<results>/toy/toy.safetensors",
        provenance="<results>/toy/provenance.json",
    log:
        "<logs>/toy.log",
    benchmark:
        "<benchmarks>/toy.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
        gpu=1,
    params:
        config=stage_config("proximal", "toy"),
        code=declared("sciml.proximal.stages.toy"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml proximal stage toy --config {params.config:q} --output {params.folder:q} "
        "--threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule study_digits:
    output:
        numbers="<results>/digits/digits.json",
        weights="<results>/digits/digits.safetensors",
        pictures="<results>/digits/strips.safetensors",
        history="<results>/digits/history.csv",
        provenance="<results>/digits/provenance.json",
    log:
        "<logs>/digits.log",
    benchmark:
        "<benchmarks>/digits.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
        gpu=1,
    params:
        config=stage_config("proximal", "digits"),
        code=declared("sciml.proximal.stages.digits"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} sciml proximal stage digits --config {params.config:q} --output {params.folder:q} "
        "--threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


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
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
        gpu=1,
    params:
        config=stage_config("proximal", "prior"),
        files=package_files,
        code=declared("sciml.proximal.stages.prior"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml proximal stage prior --config {params.config:q} --photo {input.photo:q} --ct {input.ct:q} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule study_colour:
    input:
        colour=weights_of("photo-colour"),
        grey=weights_of("photo-grey"),
    output:
        numbers="<results>/colour/colour.json",
        pictures="<results>/colour/pictures.safetensors",
        provenance="<results>/colour/provenance.json",
    log:
        "<logs>/colour.log",
    benchmark:
        "<benchmarks>/colour.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
        gpu=1,
    params:
        config=stage_config("proximal", "colour"),
        files=package_files,
        code=declared("sciml.proximal.stages.colour"),
        folder=folder_of,
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml proximal stage colour --config {params.config:q} --colour {input.colour:q} --grey {input.grey:q} "
        "--output {params.folder:q} --threads {threads} --gpu {resources.gpu} > {log:q} 2>&1"


rule write_page:
    input:
        metrics=expand(
            rules.evaluate_reconstructions.output.metrics,
            task=sorted(SETTINGS.proximal.studies),
        ),
        certificates=rules.certify_networks.output.certificates,
        toy=rules.study_small_priors.output.errors,
        digits=rules.study_digits.output.numbers,
        prior=rules.study_prior.output.numbers,
        colour=rules.study_colour.output.numbers,
        histories=expand(
            rules.train_network.output.history, model=sorted(SETTINGS.proximal.models)
        ),
        weights=[weights_of(name) for name in COMPARED],
    output:
        page=report(
            "<reports>/proximal.html",
            caption="../report/page.rst",
            category="proximal",
        ),
        record="<reports>/proximal.report.json",
    log:
        "<logs>/report.log",
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        config=stage_config("proximal", "report"),
        files=package_files,
        code=declared("sciml.proximal.stages.report"),
        results=lambda wildcards, input: os.path.dirname(
            os.path.dirname(input.certificates)
        ),
    shell:
        "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q} sciml proximal stage report --config {params.config:q} --results {params.results:q} --output {output.page:q} > {log:q} 2>&1"
