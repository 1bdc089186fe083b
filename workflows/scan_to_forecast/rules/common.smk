# Files of the package that jobs read, what the run ends in, and a scan of one's own.
NETWORK = packaged("proximal", "weights", "mr-t1.safetensors")
CODEC = packaged("compression", "weights", "mr.safetensors")
LOSSLESS = packaged("compression", "weights", "lossless.safetensors")
FORECASTS = packaged("progression", "weights", "mni-motion.safetensors")


def every_end(file):
    """Return a file of every acquisition and method; the scan without noise or gap is the same by every method."""
    ends = []
    for group, links in GROUPS.items():
        ends.append(f"<results>/{group}/reference/zero-filled/{file}")
        ends += expand(
            f"<results>/{group}/{{acquisition}}/{{method}}/{file}",
            acquisition=links.acquisitions,
            method=links.reconstructions,
        )
    return ends


def own_scan(wildcards):
    """Return the scan of a user as an input of that name, where the settings name one."""
    path = wildcards.group == "head" and SETTINGS.scan_to_forecast.head.scan
    return {"scan": path} if path else {}
