"""A page with every kind of reportlet, from synthetic arrays."""

import numpy as np

from sciml.report import (
    Check,
    Checks,
    Claim,
    Column,
    Curve,
    Failure,
    Figure,
    Heading,
    Matrix,
    MatrixCell,
    Number,
    Scrubber,
    Slider,
    Spread,
    StudyPage,
    Tab,
    Table,
    Text,
    error_map,
    gallery,
)
from sciml.runtime.provenance import Record

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)></script><!--"


def scene(size=160):
    rows, columns = np.mgrid[0:size, 0:size] / (size - 1)
    image = 0.15 + 0.1 * columns
    for x, y, radius, level in ((0.5, 0.5, 0.42, 0.55), (0.38, 0.42, 0.13, 0.85), (0.66, 0.4, 0.1, 0.2), (0.55, 0.7, 0.16, 0.7)):
        image = np.where((columns - x) ** 2 + (rows - y) ** 2 < radius**2, level, image)
    return np.where((columns > 0.45) & (columns < 0.62) & (rows > 0.6) & (np.sin(60 * columns) > 0), 0.95, image)


def volume(count=9, size=96):
    base = scene(size)
    return [np.clip(base * (0.5 + 0.06 * k) + 0.03 * np.roll(base, 4 * k, axis=1), 0, 1) for k in range(count)]


def reportlets(text=""):
    """Every kind of a tab; `text` is put into every string that a page shows (for hostile strings)."""
    generator = np.random.default_rng(3)
    truth = scene()
    noise = generator.normal(size=truth.shape)
    images = {
        f"noisy{text}": np.clip(truth + 0.15 * noise, 0, 1),
        f"TV{text}": np.clip(truth + 0.05 * noise, 0, 1),
        f"learned{text}": np.clip(truth + 0.02 * noise, 0, 1),
        f"truth{text}": truth,
    }
    maps = {label: error_map(image, truth, 0.3) for label, image in images.items() if not label.startswith("truth")}
    slices = volume()
    noisy = [np.clip(image + 0.1 * generator.normal(size=image.shape), 0, 1) for image in slices]
    steps = np.arange(1, 41)
    curve_rows = [
        {"iteration": int(k), "psnr": float(level - 12 * np.exp(-k / rate)), "method": method + text}
        for method, level, rate in (("FBP", 24.0, 2.0), ("TV", 31.0, 8.0), ("learned", 33.0, 5.0))
        for k in steps
    ]
    return [
        Curve(
            f"Convergence{text}",
            curve_rows,
            "iteration",
            "psnr",
            "method",
            f"iteration{text}",
            f"PSNR (dB){text}",
            f"Learned converges in fewer steps{text}.",
            f"PSNR over iterations of three methods{text}",
        ),
        Curve(
            "Rate and distortion",
            [{"rate": 0.1 * 2**k, "error": 0.4 / 3**k} for k in range(5)],
            "rate",
            "error",
            None,
            "rate (bits a pixel)",
            "mean squared error",
            "Both axes are logarithmic.",
            "error falls with the rate",
            log_x=True,
            log_y=True,
        ),
        Table(
            f"Scores{text}",
            [
                Column("method", f"Method{text}"),
                Column("psnr", "PSNR", "dB", "up"),
                Column("ssim", "SSIM", "", "up"),
                Column("seconds", "Time", "s an image", "down"),
                Column("views", "Views"),
            ],
            [
                {"method": f"FBP{text}", "psnr": Spread(24.123, 1.21, 9), "ssim": 0.7012, "seconds": 0.02, "views": 60},
                {"method": "TV", "psnr": Spread(31.456, 0.92, 9), "ssim": 0.9034, "seconds": 4.1, "views": 60},
                {"method": "learned", "psnr": Spread(33.02, 0.81, 9), "ssim": 0.9271, "seconds": 0.9, "views": 60},
                {"method": "BM3D", "psnr": f"not installed{text}", "ssim": None, "seconds": "not installed", "views": None},
            ],
            f"Nine images, sparse views{text}.",
            f"Weights were chosen on validation images{text}.",
        ),
        Matrix(
            f"Tasks by methods{text}",
            [Heading(f"TV{text}"), Heading("learned", "of your own"), Heading("FBP", page="imaging.html")],
            [
                (
                    Heading(f"Denoising{text}", f"9 cases{text}", tags={"operator": f"exact{text}"}),
                    [
                        MatrixCell("31.5", [f"lost 80 %{text}"], 0.0, tags={"proved": "no"}),
                        MatrixCell("33.0", ["leads"], 1.0, "★", f"winner{text}", {"proved": f"yes{text}"}),
                        MatrixCell(),
                    ],
                ),
                (
                    Heading("CT", tags={"operator": "roughly known"}),
                    [
                        MatrixCell(f"not run{text}"),
                        MatrixCell("29.1", [], 1.0, tags={"proved": "no"}),
                        MatrixCell("24.0", [], 0.0),
                    ],
                ),
            ],
            f"PSNR in dB{text}.",
            f"The winner is marked{text}.",
            {"operator": f"Operator{text}", "proved": "Proved"},
            f"method,psnr{text}\n",
            "{}",
        ),
        Scrubber(
            f"Through the volume{text}",
            {f"measured{text}": noisy, "truth": slices},
            [f"slice {10 + k} ({2.5 * k:.1f} mm){text}" for k in range(len(slices))],
            f"Both volumes move together{text}.",
            f"a synthetic head{text}",
        ),
        Slider(
            f"Reconstructions{text}",
            images,
            f"The learned method keeps the fine bars{text}.",
            f"a phantom of discs and bars{text}",
            error_maps=maps,
            error_limit=0.3,
            notes={f"noisy{text}": "16.9 dB", f"TV{text}": f"26.3 dB{text}", f"learned{text}": "34.1 dB"},
        ),
        Figure(
            f"The mask{text}", (generator.random((64, 64, 3)) * 255).astype(np.uint8), f"Sampling{text}", f"random pixels{text}"
        ),
        gallery(f"Bars{text}", images, (90, 60, 40, 40), f"The same crop of all{text}.", f"fine bars{text}"),
        Text(
            f"How to read this{text}",
            "Three methods rebuild one phantom from **few views**.\n\n- `FBP` is direct\n- `TV` is iterative\n\n"
            f"Numbers are means over images{text}.",
        ),
    ]


def checks(text=""):
    return [
        Checks(
            [
                Check(f"adjoint{text}", 3.2e-7, 1e-5, True, "", f"|<Ax, y> - <x, A*y>| relative to their size{text}"),
                Check("norm of the operator", 1.012, 1.01, False, "", "the step size relies on it"),
                Check("residual", 0.0021, 0.01, True, "of max"),
            ]
        ),
    ]


def claims(text=""):
    return [
        Claim(
            f"TV beats FBP by at least 3 dB{text}",
            Spread(7.3, 0.4, 9),
            6.9,
            f"Table 2 of the paper{text}",
            "dB",
            "reproduced",
            paper=True,
        ),
        Claim("The learned method needs fewer steps than TV", 12, 9, "Fig. 4", "steps", "partly", paper=True),
        Claim("It is faster than FBP", 0.9, "below 0.02", "Section 5", "s", "not", paper=True),
        Claim("It holds for real scans", None, 31.2, "Table 3", "dB", "not run", paper=True),
    ]


def record(text=""):
    return Record(
        stage="demo.solve",
        version="0.1.0",
        commit="0123456789abcdef",
        dirty=False,
        command=["sciml", "imaging", "solve", f"file{text}.png"],
        config={"method": f"tv{text}", "weight": 0.1},
        seeds={"noise": 12345},
        notes={},
        started="2026-01-01T00:00:00+00:00",
        wall_seconds=12.5,
        cpu_seconds=20.1,
        peak_memory_mib=512,
        hardware={"processor": "a processor", "cores": 2},
        packages={"numpy": "2.4", "scipy": "1.17"},
        inputs={f"a{text}.png": "00ff"},
        outputs={},
    )


def demo_page(text="", extra=()):
    items = {type(item).__name__: item for item in reportlets(text)}
    picture = items["Slider"]
    rest = [item for item in reportlets(text) if type(item).__name__ != "Slider"]
    curves = [item for item in rest if type(item).__name__ == "Curve"]
    return StudyPage(
        name=f"demo{text}",
        title=f"A synthetic study{text}",
        question=f"Do learned methods rebuild a phantom from few views better than total variation does?{text}",
        tier=f"ci{text}",
        answer=f"They do: 33.0 dB beside 31.5 dB of TV, on 9 images{text}.",
        picture=picture,
        numbers=[Number(f"PSNR{text}", 33.02, "dB", (32.4, 33.6), f"TV{text}", 31.46), Number("Checks", "2 of 3")],
        claims=claims(text),
        tabs=[
            Tab(f"Pictures{text}", [item for item in rest if item not in curves]),
            Tab("Curves", [*curves, *extra]),
            Tab("Colour", []),
        ],
        checks=checks(text),
        reading=f"Three methods rebuild one phantom from **few views**.\n\n- `FBP` is direct\n- `TV` is iterative{text}",
        records=[record(text)],
        paragraphs={"demo.solve": lambda parameters: f"Images were rebuilt by {parameters['method']} [@rudin1992]."},
        limits=[f"Synthetic data only{text}.", "The paper used 400 images; this page uses 9, so the spread is wider than there."],
        missing=[f"a scan{text}"],
        banner=f"Shipped weights{text}.",
        data_tier="pip",
        failures=[
            Failure(
                f"imaging.evaluate{text}",
                f"sciml imaging evaluate results/x{text}",
                f"Traceback (most recent call last):\n  boom{text}",
            )
        ],
    )
