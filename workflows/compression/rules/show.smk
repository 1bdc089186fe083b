# Where the bits of models go, pictures at equal bytes, what must hold for files; slices and fields, spectra of decoded fields.
rule show_models:
    input:
        weights=[compared_model(domain) for domain in DOMAINS],
        photo=PHOTO,
        runs=stores("test"),
    output:
        numbers=[
            *(
                shown(
                    "compression", "inspect", f"<results>/{name}/inspect/inspect.json"
                )
                for name in PICTURES
            ),
            *(
                shown(
                    "compression",
                    "volumes_and_fields",
                    f"<results>/{name}/apart/apart.json",
                )
                for name in VOLUMES_AND_FIELDS
            ),
        ],
        arrays=[
            *expand("<results>/{domain}/inspect/maps.safetensors", domain=PICTURES),
            *expand(
                "<results>/{domain}/apart/apart.safetensors", domain=VOLUMES_AND_FIELDS
            ),
        ],
        provenance=[
            *expand("<results>/{domain}/inspect/provenance.json", domain=PICTURES),
            *expand(
                "<results>/{domain}/apart/provenance.json", domain=VOLUMES_AND_FIELDS
            ),
        ],
    log:
        "<logs>/show.log",
    benchmark:
        "<benchmarks>/show.tsv"
    resources:
        **needs(3000, 60),
    params:
        **stage("compression", "show", levels=3),
        weights=lambda wildcards, input: " ".join(
            f"--weights {domain}={quote(path)}"
            for domain, path in zip(DOMAINS, files_of(input, "weights"))
        ),
        runs=runs_option,
    shell:
        stage_command("{params.weights}", "photo", "{params.runs}")
