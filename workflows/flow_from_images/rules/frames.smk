# From the flow to sharpened frames: simulate, render, archive, sharpen.


rule simulate_flows:
    output:
        flows="<results>/simulate/flows.safetensors",
        provenance="<results>/simulate/provenance.json",
    log:
        "<logs>/simulate.log",
    benchmark:
        "<benchmarks>/simulate.tsv"
    resources:
        **needs(3000, 30),
    params:
        **stage("flow_from_images", "simulate"),
    shell:
        stage_command()


rule render_frames:
    input:
        flows=rules.simulate_flows.output.flows,
        frames=OWN_FRAMES,
    output:
        frames="<results>/render/frames.safetensors",
        kernels="<results>/render/kernels.safetensors",
        provenance="<results>/render/provenance.json",
    log:
        "<logs>/render.log",
    resources:
        **needs(2000, 10),
    params:
        **stage("flow_from_images", "render"),
        own=lambda wildcards, input: " ".join(
            f"--frames {quote(path)}" for path in input.frames
        ),
    shell:
        stage_command("flows", "{params.own}")


rule archive_frames:
    input:
        frames=rules.render_frames.output.frames,
        models=[
            packaged("compression", "weights", f"{model}.safetensors")
            for model in ("field", "lossless")
        ],
    output:
        frames="<results>/{archive}/archive/frames.safetensors",
        size="<results>/{archive}/archive/archive.json",
        provenance="<results>/{archive}/archive/provenance.json",
    log:
        "<logs>/{archive}/archive.log",
    benchmark:
        "<benchmarks>/{archive}/archive.tsv"
    resources:
        **needs(2000, 30),
    params:
        **stage("flow_from_images", "archive", "archive"),
    shell:
        stage_command("frames")


rule sharpen_frames:
    input:
        frames=rules.archive_frames.output.frames,
        kernels=rules.render_frames.output.kernels,
        prior=prior_files,
    output:
        frames="<results>/{archive}/{sharpening}/sharpen/frames.safetensors",
        provenance="<results>/{archive}/{sharpening}/sharpen/provenance.json",
    log:
        "<logs>/{archive}/{sharpening}/sharpen.log",
    benchmark:
        "<benchmarks>/{archive}/{sharpening}/sharpen.tsv"
    resources:
        **needs(3000, 120),
    params:
        **stage("flow_from_images", "sharpen", "sharpening", beside=prior_modules),
    shell:
        stage_command("frames", "kernels")
