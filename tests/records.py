"""A whole `provenance.json` for synthetic results folders."""

from typing import Any


def whole(stage: str, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return what the record of a stage holds; `more` replaces what does not matter to a page."""
    known = {"version": "0", "commit": None, "dirty": None, "command": ["sciml"], "seeds": {}, "notes": {}}
    known |= {"started": "2026-01-01T00:00:00+00:00", "wall_seconds": 1.0, "cpu_seconds": 1.0, "peak_memory_mib": 1}
    return {"stage": stage, "config": config, **known, "hardware": {}, "packages": {}, "inputs": {}, "outputs": {}, **more}
