"""Stage `certify`: the invariants of several networks, each on a copy of its weights in float64."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from sciml.proximal.certificates.certification import certify_file
from sciml.proximal.config import CertifyConfig
from sciml.proximal.networks.weight_files import weight_file
from sciml.proximal.study.results import Certificates, InvariantRow
from sciml.runtime.errors import ConfigError
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result

log = logging.getLogger(__name__)
# of the test images, directions and competitors
SEED = 0


def run(config: CertifyConfig, weights: Sequence[Path | str], output: Path) -> list[Path]:
    """Write `certificates.json`: label -> one row an invariant, the label being the name of a file without its ending.

    A network that fails is written like the others, with its witness; a reader decides what to do about it.

    Args:
        config: size of the test images.
        weights: weight files or shipped names.
        output: output folder.

    Raises:
        ConfigError: no weights, or two with one label.
        DataError, FormatError, ShapeError: a file is missing, damaged or no learned proximal network.
    """
    paths = [weight_file(name) for name in weights]
    labels = [path.stem for path in paths]
    if not paths or len(set(labels)) < len(labels):
        raise ConfigError(f"certify takes weight files of different names, one at least; got {labels}")
    recorder = Recorder("proximal.certify", config.model_dump(mode="json"), paths)
    tables: Certificates = {}
    for label, path in zip(labels, paths, strict=True):
        rows = certify_file(path, size=config.size, seed=SEED)
        tables[label] = [InvariantRow.model_validate(row) for row in rows]
        failed = [row for row in tables[label] if not row.passed]
        log.info("%s: %d invariants, %d failed", label, len(tables[label]), len(failed))
        for row in failed:
            log.warning("%s fails %s, %s: %s", label, row.id, row.name, row.witness)
    certificates = output / "certificates.json"
    write_result(certificates, tables)
    recorder.seeds = {"certify": SEED}
    recorder.write(output / "provenance.json", [certificates])
    return [certificates]
