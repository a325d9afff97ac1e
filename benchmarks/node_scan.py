"""Reading node classes and their loaders from ComfyUI 0.3.75 and real packs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from comfydock_core.storage.node_scan_cache import NodeScanCache

from benchmarks.material import comfyui_checkout, node_packs
from benchmarks.rows import Row, medians

ROUNDS = 5
COLD, CACHED = 1.5, 0.030


def run() -> list[Row]:
    """Measure a first scan and one of unchanged files."""
    comfyui, packs = comfyui_checkout(), node_packs()
    with tempfile.TemporaryDirectory() as folder:
        kept = NodeScanCache(Path(folder, "kept"))

        def scan(scans: NodeScanCache) -> int:
            found = [scans.core(comfyui), *(scans.pack(each) for each in packs)]
            return sum(len(each.classes) for each in found)

        classes = scan(kept)
        fresh = (NodeScanCache(Path(folder, str(number))) for number in range(ROUNDS))
        taken = medians(ROUNDS, {"cold": lambda: scan(next(fresh)), "cached": lambda: scan(kept)})
    what = f"ComfyUI 0.3.75 and {len(packs)} packs ({classes} classes)"
    return [
        _row(f"scan {what}, cold", taken["cold"], COLD),
        _row(f"scan {what}, cached", taken["cached"], CACHED),
    ]


def _row(name: str, seconds: float, target: float) -> Row:
    return Row(
        name=name,
        figure=f"{seconds * 1000:.1f} ms",
        floor=f"{target * 1000:.0f} ms",
        ratio=f"{seconds / target:.2f}",
        target="<= 1",
    )
