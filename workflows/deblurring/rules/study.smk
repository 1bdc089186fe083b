# What is made beside the pairs, and the page.
rule sharpen_photograph:
    output:
        pictures="<results>/photo/pictures.safetensors",
        numbers="<results>/photo/photo.json",
        provenance="<results>/photo/provenance.json",
    log:
        "<logs>/photo.log",
    benchmark:
        "<benchmarks>/photo.tsv"
    resources:
        **needs(2000, 20, gpu=1),
    params:
        **stage("deblurring", "photo"),
    shell:
        stage_command(gpu=True)


rule write_page:
    input:
        scores=rules.evaluate_pairs.output.scores,
        calibration=rules.evaluate_pairs.output.calibration,
        photo=rules.sharpen_photograph.output.numbers,
        networks=expand(
            rules.fit_networks.output.runs, photo=fitted(SETTINGS.deblurring.dip)
        ),
    output:
        **page_files("deblurring"),
    log:
        "<logs>/report.log",
    resources:
        **needs(3000, 10),
    params:
        **stage("deblurring", "report"),
        results=above("calibration", 2),
    shell:
        page_command()
