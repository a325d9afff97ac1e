"""What a benchmark measured, and how it is measured."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table: figure and floor with their units, their ratio, the target for it."""

    name: str
    figure: str
    floor: str = ""
    ratio: str = ""
    target: str = ""


def medians(rounds: int, contenders: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median seconds of each contender; they take turns, so that all share the noise."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    gc.freeze()  # what other benchmarks left behind is nobody's burden
    for _ in range(rounds):
        for name, contender in contenders.items():
            gc.collect()
            begun = time.perf_counter()
            contender()
            taken[name].append(time.perf_counter() - begun)
    gc.unfreeze()
    return {name: statistics.median(times) for name, times in taken.items()}
