# From frames to parameters and the page: the order of the rods, inference, forecast.


rule read_order:
    input:
        frames=rules.sharpen_frames.output.frames,
        flows=rules.simulate_flows.output.flows,
    output:
        order="<results>/{archive}/{sharpening}/orient/order.safetensors",
        errors="<results>/{archive}/{sharpening}/orient/orientation.json",
        provenance="<results>/{archive}/{sharpening}/orient/provenance.json",
    log:
        "<logs>/{archive}/{sharpening}/orient.log",
    resources:
        **needs(2000, 10),
    params:
        **stage("flow_from_images", "orient"),
    shell:
        stage_command("frames", "flows")


rule infer_parameters:
    input:
        flows=rules.simulate_flows.output.flows,
        weights=packaged("active_fluid", "weights", "default.safetensors"),
        order=rules.read_order.output.order,
    output:
        fits=shown(
            "flow from images",
            "fits",
            "<results>/{archive}/{sharpening}/infer/fits.json",
        ),
        fields="<results>/{archive}/{sharpening}/infer/fields.safetensors",
        provenance="<results>/{archive}/{sharpening}/infer/provenance.json",
    log:
        "<logs>/{archive}/{sharpening}/infer.log",
    benchmark:
        "<benchmarks>/{archive}/{sharpening}/infer.tsv"
    resources:
        **needs(3000, 60),
    params:
        **stage("flow_from_images", "infer", "{archive}/{sharpening}".format_map),
    shell:
        stage_command("flows", "weights", "order")


rule infer_from_true_frames:
    input:
        flows=rules.simulate_flows.output.flows,
        weights=packaged("active_fluid", "weights", "default.safetensors"),
    output:
        fits=shown("flow from images", "fits", "<results>/infer/fits.json"),
        fields="<results>/infer/fields.safetensors",
        provenance="<results>/infer/provenance.json",
    log:
        "<logs>/infer.log",
    benchmark:
        "<benchmarks>/infer.tsv"
    resources:
        **needs(3000, 60),
    params:
        **stage("flow_from_images", "infer", lambda wildcards: TRUE_FRAMES),
    shell:
        stage_command("flows", "weights")


rule write_page:
    input:
        fits=[
            rules.infer_from_true_frames.output.fits,
            *of_combinations("infer/fits.json"),
        ],
        fields=of_combinations("infer/fields.safetensors"),
    output:
        **page_files("flow_from_images"),
    log:
        "<logs>/report.log",
    resources:
        **needs(2000, 10),
    params:
        **stage("flow_from_images", "report"),
        results=above("fits", 2),
    shell:
        page_command()
