# Where the bits of models go, pictures at equal bytes, what must hold for files; slices and fields, spectra of decoded fields.
rule show_models:
    input:
        weights=[compared_model(domain) for domain in DOMAINS],
        photo=PHOTO,
        runs=stores("test"),
    output:
        numbers=[
            shown("compression", caption, f"<results>/{name}/{look}/{look}.json")
            for name, (caption, look, _) in LOOKS.items()
        ],
        others=[
            f"<results>/{name}/{look}/{file}"
            for name, (_, look, arrays) in LOOKS.items()
            for file in (f"{arrays}.safetensors", "provenance.json")
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
