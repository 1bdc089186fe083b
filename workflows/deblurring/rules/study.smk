# What is made of the restored pairs: maps of spreads, and the page.
rule map_spreads:
    input:
        pairs=rules.simulate_pairs.output.pairs,
        kernels=rules.correct_kernels.output.kernels,
        weights=expand(rules.tune_prior.output.weights, prior="tv"),
    output:
        spreads="<results>/{set}/{photo}/spread/spreads.safetensors",
        provenance="<results>/{set}/{photo}/spread/provenance.json",
    log:
        "<logs>/{set}/{photo}/spread.log",
    benchmark:
        "<benchmarks>/{set}/{photo}/spread.tsv"
    resources:
        **needs(2000, 60, gpu=1),
    params:
        **stage("deblurring", "spread"),
    shell:
        stage_command("pairs", PHOTOGRAPH, "kernels", "weights", gpu=True)


rule calibrate_spreads:
    input:
        validation=expand(rules.simulate_pairs.output.pairs, set="validation"),
        validation_pictures=every(rules.restore_pairs.output.pictures, "validation"),
        validation_spreads=every(rules.map_spreads.output.spreads, "validation"),
        test=expand(rules.simulate_pairs.output.pairs, set="test"),
        test_pictures=every(rules.restore_pairs.output.pictures, "test"),
        test_spreads=every(rules.map_spreads.output.spreads, "test"),
    output:
        numbers="<results>/calibrate/calibration.json",
        provenance="<results>/calibrate/provenance.json",
    log:
        "<logs>/calibrate.log",
    benchmark:
        "<benchmarks>/calibrate.tsv"
    resources:
        **needs(3000, 10),
    params:
        **stage("deblurring", "calibrate"),
        more=each(
            validation_restored="validation_pictures",
            validation_spreads="validation_spreads",
            restored="test_pictures",
            spreads="test_spreads",
        ),
    shell:
        stage_command("validation", "--pairs {input.test:q} {params.more}")


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
        scores=expand(rules.evaluate_pairs.output.scores, set=sorted(SETS)),
        calibration=rules.calibrate_spreads.output.numbers,
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
