# What compression and active fluids measured is read, not measured again: asked for where the whole run is made, taken where it is
# there, left out where it is not; the curves of the codecs come with the model too.
SHIPPED_CURVES = packaged("compression", "weights", "photo.curves.json")
PHOTO = SETTINGS.data_tier != "pip" and "photo" in SETTINGS.compression.domains
READ = {
    "curves": measured_by(
        "compression_judge_codecs", "compression/photo/judge/curves.json", PHOTO
    )
    or [SHIPPED_CURVES],
    "bench": measured_by(
        "compression_compare_codecs",
        "compression/photo/evaluate/bench.json",
        PHOTO,
    ),
    "scores": measured_by(
        "active_fluid_evaluate_closures", "active_fluid/evaluate/scores.json"
    ),
    "cost": measured_by("active_fluid_measure_solvers", "active_fluid/cost/cost.json"),
}


rule compare_methods:
    input:
        **READ,
        trials=TRIALS,
    output:
        matrix=shown("matrix", "matrix", "<results>/compare/matrix.json"),
        table="<results>/compare/matrix.csv",
        provenance="<results>/compare/provenance.json",
    log:
        "<logs>/compare.log",
    resources:
        **needs(2000, 10),
    params:
        **stage("matrix", "compare"),
        trials=each("trials"),
        read=each(*(name for name, files in READ.items() if files)),
    shell:
        stage_command("{params.trials} {params.read}")


rule write_page:
    input:
        matrix=rules.compare_methods.output.matrix,
        trials=TRIALS,
    output:
        **page_files("matrix"),
    log:
        "<logs>/report.log",
    resources:
        **needs(3000, 10),
    params:
        **stage("matrix", "report"),
        results=above("matrix", 2),
    shell:
        page_command()
