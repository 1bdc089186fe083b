"""Where the bits go: bands of planes, header, overhead, what classes are worth, maps and tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sciml.compression.entropy.rules import CLASSES
from sciml.compression.entropy.tables import BANDS, LARGEST_SYMBOL
from sciml.compression.page.results import DomainResults, Inspection
from sciml.compression.study.inspection import band_titles
from sciml.compression.study.inspection_results import Layer, MapNotes
from sciml.report.graphics.drawing import panels, plain
from sciml.report.graphics.palette import COLOURS
from sciml.report.reportlets import Column, Figure, Reportlet, Table, Value
from sciml.report.words import counted, sequence, thousands

# bands whose tables are drawn, and the symbols up to this size
TABLE_BANDS = (1, 3, 6)
SYMBOLS = 8


def accounting_reportlets(domain: DomainResults) -> Iterator[Reportlet]:
    """Yield bars, tables and maps, or a sentence."""
    inspection = domain.inspection
    if inspection is None:
        return
    yield model_table(domain, inspection)
    yield layer_table(inspection)
    yield classes_table(inspection)
    yield bars(inspection)
    if inspection.numbers.maps is not None:
        yield class_maps(inspection, inspection.numbers.maps)
        yield tables_figure(inspection, inspection.numbers.maps)


def model_table(domain: DomainResults, inspection: Inspection) -> Table:
    """Return what the model is made of."""
    facts = inspection.numbers.model
    planes, steps = facts.planes, facts.steps
    network, products = facts.network_weights, facts.network_products_per_pixel
    behind = "none"
    if network is not None and products is not None:
        behind = f"{thousands(network)} weights, {thousands(round(products))} products a pixel"
    fitted = sequence([f"{step:g}" for step in steps])
    rows = [
        ("model", f"{facts.name}, id {facts.id}"),
        ("model file", f"{facts.file_bytes / 1e6:.2f} MB"),
        ("sets of rules and tables", f"{len(steps)}, fitted at the steps {fitted} of the range"),
        ("planes that are coded", f"{min(planes)} to {max(planes)} of {256 * facts.channels}"),
        ("network behind the decoder", behind),
    ]
    for stage, words in (("fit", "fitting"), ("train", "training of the network")):
        if (record := domain.records.get(stage)) is not None:
            minutes = float(record.notes.get("cpu_minutes", record.cpu_seconds / 60))
            rows.append((words, f"{minutes:.1f} CPU minutes"))
    columns = [Column("fact", "of the model"), Column("value", "value")]
    return Table("The model", columns, [{"fact": fact, "value": value} for fact, value in rows])


def layer_table(inspection: Inspection) -> Table:
    """Return bytes of header and layers at each quality, sums over pictures."""
    rows: list[dict[str, Value]] = []
    for quality in inspection.qualities:
        mine = inspection.at(quality)
        total, pixels = sum(row.file_bytes for row in mine), sum(row.pixels for row in mine)
        head = sum(row.overhead_bytes for row in mine)
        row: dict[str, Value] = {
            "quality": quality,
            "rate": 8 * total / pixels,
            "header": 100 * head / total,
        }
        payload, ideal = 0, 0.0
        for number in range(len(mine[0].layers)):
            size = sum(one.layers[number].bytes for one in mine)
            payload += size
            ideal += sum(one.layers[number].ideal_bits for one in mine)
            row[f"layer{number + 1}"] = 100 * size / total
        rows.append(row | {"overhead": 100 * (8 * payload / ideal - 1)})
    # coarse steps code fewer planes, and may have fewer layers
    layers = max((row.layers for row in inspection.rows), key=len)
    columns = [
        Column("quality", "quality", digits=0), Column("rate", "rate", "bits a pixel", None, 3),
        Column("header", "header and checksums", "%", None, 2),
        *(
            Column(
                f"layer{number + 1}",
                f"layer {number + 1}, planes {layer.planes[0] + 1} {_to(number, layers)}",
                "%",
                None,
                1,
            )
            for number, layer in enumerate(layers)
        ),
        Column("overhead", "payload above the ideal", "%", None, 2),
    ]  # fmt: skip
    count = len({row.picture for row in inspection.rows})
    return Table(
        "Where the bytes of a file are",
        columns,
        rows,
        f"Shares of the whole files of {counted(count, 'picture')}. The ideal is the code length by the model's own tables; a "
        "layer ends on a word of four bytes.",
    )


def _to(number: int, layers: list[Layer]) -> str:
    return "on" if number == len(layers) - 1 else f"to {layers[number].planes[1]}"


def classes_table(inspection: Inspection) -> Table:
    """Return what classes save against tables without them."""
    rows: list[dict[str, Value]] = []
    for static in sorted(inspection.numbers.static, key=lambda row: row.quality):
        mine = inspection.at(static.quality)
        pixels = sum(row.pixels for row in mine)
        classes = sum(layer.ideal_bits for row in mine for layer in row.layers)
        rows.append(
            {
                "quality": static.quality,
                "classes": classes / pixels,
                "plane": static.plane_bits / pixels,
                "band": static.band_bits / pixels,
                "saved": 100 * (classes / static.plane_bits - 1),
            }
        )
    columns = [
        Column("quality", "quality", digits=0), Column("classes", "tables by class (ours)", "bits a pixel", None, 3),
        Column("plane", "one table a plane", "bits a pixel", None, 3),
        Column("band", "one table a band", "bits a pixel", None, 3),
        Column("saved", "classes against one table a plane", "%", None, 1),
    ]  # fmt: skip
    return Table(
        "What the classes are worth",
        columns,
        rows,
        "Ideal code lengths of the same symbols. The tables without classes are the best ones for these very pictures, which no "
        "decoder could know; ours were fitted to other photographs.",
        "Means are predicted in all three, and the encoder chose the symbols with the classes in mind.",
    )


def bars(inspection: Inspection) -> Figure:
    """Return the bits of every band at each quality, stacked."""
    titles = band_titles()
    shades = [*COLOURS, "#444444"]

    def draw(axes: Any, figure: Any) -> None:
        for panel, share in zip(axes, (False, True), strict=True):
            for place, quality in enumerate(inspection.qualities):
                mine = inspection.at(quality)
                pixels = sum(row.pixels for row in mine)
                parts = [8 * sum(row.overhead_bytes for row in mine), *np.sum([row.band_bits for row in mine], 0)]
                scale = (100 / sum(parts)) if share else 1 / pixels
                below = 0.0
                for number, part in enumerate(parts):
                    panel.barh(place, part * scale, left=below, height=0.7, color="#bbbbbb" if not number else shades[number - 1],
                               edgecolor="white", linewidth=0.6)  # fmt: skip
                    if share and part * scale > 5 and number:
                        panel.text(below + part * scale / 2, place, f"{part * scale:.0f}", ha="center", va="center", fontsize=8)
                    below += part * scale
            panel.set_yticks(range(len(inspection.qualities)), [f"quality {quality:g}" for quality in inspection.qualities])
            plain(panel, "per cent" if share else "bits a pixel")
            panel.grid(axis="y", visible=False)
        handles = [_patch("#bbbbbb", "header"), *(_patch(shades[n], f"planes {title}") for n, title in enumerate(titles))]
        figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False, fontsize=8)

    return Figure(
        "Bits by band of planes",
        panels(2, (9.6, 3.0), draw, dpi=110),
        "Planes are sorted by their energy in training: 1 is the mean brightness of a block, the last ones are the finest "
        "waves and colours. Left in bits a pixel, right in per cent. A band shares its tables.",
        "stacked bars of the bits of eight bands of planes and the header, a bar for each quality",
    )


def _patch(colour: str, label: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour, label=label)


def class_maps(inspection: Inspection, notes: MapNotes) -> Figure:
    """Return a picture, the bits of its blocks, and the classes of some planes."""
    picture = inspection.picture(f"{notes.picture}-whole")
    classes, bits = inspection.arrays["classes"], inspection.arrays["bits"]

    def draw(axes: Any, figure: Any) -> None:
        axes[0].imshow(picture, cmap="gray")
        axes[0].set_title(notes.picture, fontsize=10)
        axes[1].imshow(bits / 256, cmap="magma", vmin=0)
        axes[1].set_title(f"bits a pixel of each block, up to {bits.max() / 256:.2f}", fontsize=10)
        for panel, plane, image in zip(axes[2:], notes.planes, classes, strict=False):
            shown = panel.imshow(image, cmap="viridis", vmin=0, vmax=CLASSES - 1)
            panel.set_title(f"classes of plane {plane + 1}", fontsize=10)
        figure.colorbar(shown, ax=axes, shrink=0.6, label="class")
        for panel in axes:
            panel.axis("off")

    return Figure(
        "Bits and classes over one picture",
        panels(3, (11.0, 5.6), draw, 2, 100),
        f"A pixel of the maps is a block of 16 x 16 pixels; quality {inspection.middle:g}. A class is the decoder's own guess of "
        "how large a symbol will be, 0 for surely 0 and 39 for very large, made from what it has decoded before: nothing of it "
        "is sent. Classes follow edges and texture, and so do the bits. The finer pattern is that of the passes: later ones know "
        "more of what is around.",
        f"the photograph {notes.picture}, a map of its bits and maps of the classes of {counted(len(classes), 'plane')}",
    )


def tables_figure(inspection: Inspection, notes: MapNotes) -> Figure:
    """Return the probabilities of the symbols by class, and how often each class occurs."""
    counts, usage = inspection.arrays["counts"], inspection.arrays["usage"]
    bands = [band for band in TABLE_BANDS if band < BANDS]
    titles = band_titles()
    near = slice(LARGEST_SYMBOL - SYMBOLS, LARGEST_SYMBOL + SYMBOLS + 1)

    def draw(axes: Any, figure: Any) -> None:
        for panel, band in zip(axes, bands, strict=False):
            shares = np.log10(counts[band][:, near] / counts[band].sum(1, keepdims=True))
            shown = panel.imshow(
                shares,
                cmap="viridis",
                aspect="auto",
                vmin=-4,
                vmax=0,
                extent=(-SYMBOLS - 0.5, SYMBOLS + 0.5, CLASSES - 0.5, -0.5),
            )
            plain(panel, "symbol", "class" if panel is axes[0] else "", f"planes {titles[band]}")
            panel.grid(visible=False)
        figure.colorbar(shown, ax=axes[: len(bands)], label="log10 P")
        last = axes[len(bands)]
        for number, band in enumerate(bands):
            last.plot(
                usage[band] / max(usage[band].sum(), 1), range(CLASSES), color=COLOURS[number], label=f"planes {titles[band]}"
            )
        last.set_ylim(CLASSES - 0.5, -0.5)
        last.legend(frameon=False, fontsize=8, loc="lower right")
        plain(last, "share of symbols", "", "how often a class occurs")

    return Figure(
        "Probability tables: symbols by class",
        panels(len(bands) + 1, (11.0, 3.2), draw, dpi=100),
        f"Tables of the set at step {notes.step:g}. A row is a class: narrow at the top, where a symbol "
        "is nearly always 0, wide at the bottom. Rows that were hardly met in fitting hold the mean of their band. On the right "
        f"the classes of {notes.picture} at quality {inspection.middle:g}.",
        "heat maps of the probability of the symbols from -8 to 8 by class for three bands, and how often the classes occur",
    )
